// What AsyncAPI's own parser finds in a document: a JSON array of {severity, code, path}, 0 an error.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const [source] = process.argv.slice(2);
const { document, diagnostics } = await new Parser().parse(readFileSync(source, "utf8"), { source });
const found = diagnostics.map(({ severity, code, path }) => ({ severity, code, path: path.join(".") }));
const operations = document?.operations().all().map((one) => [one.id(), one.action()]);
console.log(JSON.stringify({ found, operations: operations ?? null }));
