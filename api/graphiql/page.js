// Hands GraphiQL what it asks the server with: POST for queries and mutations, and a stream of
// server-sent events for subscriptions (graphql-sse, distinct connections mode).
"use strict";

const isSubscription = (query, name) => {
  const found = [...query.matchAll(/\b(query|mutation|subscription)\b\s*(\w*)/g)];
  const chosen = found.find((operation) => !name || operation[2] === name);
  return chosen !== undefined && chosen[1] === "subscription";
};

const ask = (path, accept, parameters, headers) =>
  fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", accept, ...headers },
    body: JSON.stringify(parameters),
  });

async function* follow(parameters, headers) {
  const response = await ask("/graphql/stream", "text/event-stream", parameters, headers);
  if (!response.ok) {
    yield await response.json();
    return;
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += value;
      const events = text.split("\n\n");
      text = events.pop();
      for (const event of events) {
        const lines = event.split("\n");
        const kind = lines.find((line) => line.startsWith("event:"))?.slice(6).trim();
        const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5));
        if (kind === "next") yield JSON.parse(data.join("\n"));
        if (kind === "complete") return;
      }
    }
  } finally {
    reader.cancel();
  }
}

const fetcher = async (parameters, options) => {
  const headers = options?.headers ?? {};
  if (isSubscription(parameters.query, parameters.operationName)) {
    return follow(parameters, headers);
  }
  return (await ask("/graphql", "application/json", parameters, headers)).json();
};

ReactDOM.createRoot(document.getElementById("graphiql")).render(
  React.createElement(GraphiQL, {
    fetcher,
    defaultQuery: `# Much may be asked by everybody. For the rest, and for mutations, show who you are
# below, under Headers: {"authorization": "Bearer <an access token or an API key>"}
{
  chains {
    nodes {
      chainId
    }
  }
}
`,
    shouldPersistHeaders: false,
  }),
);
