// Four clients of other people, each with a query, a mutation and a subscription: a flag is created,
// and heard of. `TOKEN=... node clients.js URL`
import { ApolloClient, gql, HttpLink, InMemoryCache, split } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { getMainDefinition } from "@apollo/client/utilities";
import { createClient as createUrql, fetchExchange, subscriptionExchange } from "@urql/core";
import { createClient as createSse } from "graphql-sse";
import { createClient as createWs } from "graphql-ws";
import WebSocket from "ws";

const url = process.argv[2];
const headers = { authorization: `Bearer ${process.env.TOKEN}` };
const ws = () =>
  createWs({
    url: `${url.replace("http", "ws")}/graphql`,
    connectionParams: headers,
    webSocketImpl: WebSocket,
  });

const QUERY = "query ($key: String!) { flag(key: $key) { key version } }";
const MUTATION = `mutation ($key: String!) {
  flagCreate(key: $key, input: { description: "as a client" }, waitMs: 5000) { position shown }
}`;
const SUBSCRIPTION = `subscription ($after: Position) {
  flagChanged(after: $after) { position flag { key } }
}`;

/** Whatever a client can do: `ask` for a query or a mutation, `hear` a subscription's first. */
const clients = {
  "graphql-ws"() {
    const client = ws();
    const first = async (query, variables) => {
      for await (const { data, errors } of client.iterate({ query, variables })) {
        if (errors) throw errors[0];
        return data;
      }
    };
    return { ask: first, hear: first, end: () => client.dispose() };
  },

  "graphql-sse"() {
    const client = createSse({ url: `${url}/graphql/stream`, headers });
    const first = async (query, variables) => {
      for await (const { data, errors } of client.iterate({ query, variables })) {
        if (errors) throw errors[0];
        return data;
      }
    };
    return { ask: first, hear: first, end: () => client.dispose() };
  },

  urql() {
    const live = ws();
    const forwardSubscription = (request) => ({
      subscribe: (sink) => ({ unsubscribe: live.subscribe(request, sink) }),
    });
    const client = createUrql({
      url: `${url}/graphql`,
      exchanges: [fetchExchange, subscriptionExchange({ forwardSubscription })],
      fetchOptions: { headers },
      preferGetMethod: false,
    });
    const told = ({ data, error }) => {
      if (error) throw error;
      return data;
    };
    return {
      ask: async (document, variables) => {
        const is = document.startsWith("mutation") ? "mutation" : "query";
        return told(await client[is](document, variables).toPromise());
      },
      hear: (document, variables) =>
        new Promise((resolve, reject) => {
          const { unsubscribe } = client.subscription(document, variables).subscribe((result) => {
            unsubscribe();
            result.error ? reject(result.error) : resolve(result.data);
          });
        }),
      end: () => live.dispose(),
    };
  },

  apollo() {
    const live = ws();
    const isLive = ({ query }) => getMainDefinition(query).operation === "subscription";
    const http = new HttpLink({ uri: `${url}/graphql`, headers });
    const client = new ApolloClient({
      link: split(isLive, new GraphQLWsLink(live), http),
      cache: new InMemoryCache(),
    });
    return {
      ask: async (document, variables) => {
        const parsed = gql(document);
        const is = getMainDefinition(parsed).operation;
        const done =
          is === "mutation"
            ? client.mutate({ mutation: parsed, variables })
            : client.query({ query: parsed, variables });
        return (await done).data;
      },
      hear: (document, variables) =>
        new Promise((resolve, reject) => {
          const heard = client.subscribe({ query: gql(document), variables }).subscribe({
            next: ({ data }) => {
              heard.unsubscribe();
              resolve(data);
            },
            error: reject,
          });
        }),
      end: () => live.dispose(),
    };
  },
};

for (const [name, open] of Object.entries(clients)) {
  const { ask, hear, end } = open();
  const key = `client.${name.replace("-", "_")}`;
  const made = (await ask(MUTATION, { key })).flagCreate;
  const asked = (await ask(QUERY, { key })).flag;
  const before = String(BigInt(made.position) - 1n);
  const heard = (await hear(SUBSCRIPTION, { after: before })).flagChanged;
  end();
  console.log(JSON.stringify({ name, asked: asked.key, shown: made.shown, heard: heard.flag.key }));
}
process.exit(0);
