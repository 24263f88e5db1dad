import { ActionLibrary } from '../actions/catalogue.ts'
import { jsonSchema } from '../config/json-schema.ts'

/** Prints the JSON Schema of `damselfly.yaml` with the built-in actions. */
export async function schema(): Promise<void> {
  const { catalogue } = await new ActionLibrary().load({ configDir: '/nonexistent', plugins: [] })
  process.stdout.write(`${JSON.stringify(jsonSchema(catalogue), undefined, 2)}\n`)
}
