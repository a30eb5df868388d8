// What graphql-http's audit says of a server that speaks GraphQL over HTTP: a line for each audit
// that is not ok, and their number. `node audit.js URL`
import { auditServer } from "graphql-http";

const results = await auditServer({ url: `${process.argv[2]}/graphql` });
const unwell = results.filter((result) => result.status !== "ok");
for (const { id, name, reason, status } of unwell) console.log(`${status} ${id} ${name}: ${reason}`);
console.log(JSON.stringify({ audits: results.length, unwell: unwell.length }));
