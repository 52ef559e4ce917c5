/** Which rooms a room of src/ may import. STYLE of the house: a batch walks through the rooms in a row, and a door that is not listed is a wall. */
export interface Room {
  readonly imports: readonly string[]
  /** Why, where it is not plain from the room's work. */
  readonly because?: string
}
export const rooms: Readonly<Record<string, Room>> = {
  base: { imports: [] },
  data: { imports: ['base'] },
  plan: { imports: ['base', 'data'] },
  query: { imports: ['base', 'data', 'plan'], because: 'the port of an engine takes plans and gives rows' },
  api: { imports: ['base', 'data', 'plan', 'query'] },
  planner: { imports: ['base', 'data', 'plan'] },
  sources: { imports: ['base', 'data'] },
  checkpoint: { imports: ['base'] },
  sql: { imports: ['base', 'data', 'plan'] },
  state: { imports: ['base', 'data'] },
  operators: { imports: ['base', 'data', 'state'] },
  sinks: { imports: ['base', 'data', 'plan'], because: 'a sink is told the OutputMode, which is a word of the plan' },
  runtime: {
    imports: [
      'version.ts',
      'base',
      'data',
      'plan',
      'planner',
      'sources',
      'checkpoint',
      'sql',
      'operators',
      'state',
      'sinks',
      'query',
      'api',
    ],
    because: 'it alone opens the doors in order; foreachBatch hands the user a DataFrame of api/',
  },
  // The parts that put the rooms together.
  'index.ts': {
    imports: ['base', 'data', 'plan', 'query', 'api', 'sources', 'sinks', 'runtime', 'sql', 'state', 'checkpoint', 'planner', 'operators'],
  },
  'check-node.ts': { imports: [] },
  'version.ts': { imports: [] },
  'entry.ts': { imports: ['check-node.ts', 'index.ts'] },
  // On the roof.
  testing: {
    imports: [
      'index.ts',
      'base',
      'data',
      'plan',
      'query',
      'api',
      'sources',
      'sinks',
      'runtime',
      'sql',
      'state',
      'checkpoint',
      'planner',
      'operators',
    ],
  },
  cli: { imports: ['check-node.ts', 'index.ts', 'version.ts', 'base', 'query'] },
}

/** Files of more than 600 lines, and why each is one thing. */
export const longFiles: Readonly<Record<string, string>> = {}
