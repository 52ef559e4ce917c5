// Streaming queries whose results come from real Spark (`npm run spark:streams`): every batch's rows, what the state holds, and the watermark.

/** Columns k, t (seconds), v and src of the one input; both sides of a join are filters of it, so that each batch has the rows of both. */
export type InputRow = readonly [k: number | null, t: number | null, v: number | null, src: 'a' | 'b']
export type Relation =
  | { readonly view: string; readonly sql: string }
  | { readonly view: string; readonly of: string; readonly watermark: readonly [column: string, delay: string] }
  | { readonly view: string; readonly of: string; readonly dropDuplicates: readonly string[] }
  | { readonly view: string; readonly of: string; readonly dropDuplicatesWithinWatermark: readonly string[] }
export interface StreamCase {
  readonly name: string
  readonly outputMode: 'append' | 'update' | 'complete'
  /** Made one after the other; the last one is the query. */
  readonly relations: readonly Relation[]
  /** What is added, and where the query is stopped and started again. */
  readonly steps: readonly (readonly InputRow[] | 'restart')[]
}
export const inputSchema = 'k INT, t INT, v INT, src STRING'

const input: Relation = { view: 'timed', sql: 'SELECT *, timestamp_seconds(t) AS at FROM input' }
const marked = (delay = '10 seconds'): Relation[] => [input, { view: 'i', of: 'timed', watermark: ['at', delay] }]
const query = (sql: string): Relation => ({ view: 'out', sql })
const table: Relation = { view: 'words', sql: "SELECT * FROM VALUES (1, 'one'), (2, 'two'), (2, 'zwei'), (9, 'nine') AS w(k, word)" }
const sides = (left = '10 seconds', right = '5 seconds'): Relation[] => [
  input,
  { view: 'a0', sql: "SELECT k AS ak, at AS aat, v AS av FROM timed WHERE src = 'a'" },
  { view: 'a', of: 'a0', watermark: ['aat', left] },
  { view: 'b0', sql: "SELECT k AS bk, at AS bat, v AS bv FROM timed WHERE src = 'b'" },
  { view: 'b', of: 'b0', watermark: ['bat', right] },
  { view: 'aw', sql: "SELECT ak, av, window(aat, '10 seconds') AS w FROM a" },
  { view: 'bw', sql: "SELECT bk, bv, window(bat, '10 seconds') AS w FROM b" },
]

/** Rows around a time that moves on: late ones, equal ones, nulls, restarts; the same for the same seed. The last two batches close what is open. */
function stepsOf(seed: number): StreamCase['steps'] {
  let state = seed
  const below = (bound: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 4_294_967_296) * bound)
  }
  const one = <T>(...of: readonly T[]): T => of[below(of.length)]!
  const steps: (readonly InputRow[] | 'restart')[] = []
  let now = 20
  for (let step = 0; step < 5; step++) {
    const rows = Array.from({ length: 1 + below(5) }, (): InputRow => {
      const t = below(25) === 0 ? null : now + one(-30, -18, -12, -8, -5, -3, -1, 0, 0, 1, 2, 3, 5, 8)
      return [one(1, 1, 2, 2, 3, null), t, one(null, 0, 1, 2, 3, 5, -4), one('a', 'b')]
    })
    steps.push(rows)
    now += one(0, 3, 8, 15, 30)
    if (below(5) === 0) steps.push('restart')
  }
  const closing = (at: number): InputRow[] => [
    [8, at, 1, 'a'],
    [8, at, 1, 'b'],
  ]
  return [...steps, closing(now + 60), closing(now + 61)]
}

let seed = 7
const add = (name: string, outputMode: StreamCase['outputMode'], relations: readonly Relation[]): StreamCase => ({
  name: `${name}, ${outputMode}`,
  outputMode,
  relations,
  steps: stepsOf(seed++),
})

const modes = ['append', 'update', 'complete'] as const
const aggregations = modes.flatMap((mode) => [
  add('tumbling windows', mode, [
    ...marked(),
    query("SELECT window(at, '5 seconds') w, k, count(*) c, sum(v) s, max(v) mx FROM i GROUP BY 1, 2"),
  ]),
  add('sliding windows', mode, [
    ...marked('3 seconds'),
    query("SELECT window(at, '10 seconds', '4 seconds') w, count(v) c FROM i GROUP BY 1"),
  ]),
  add('a raw event time', mode, [...marked('25 seconds'), query('SELECT at, count(*) c FROM i GROUP BY at')]),
  add('SELECT DISTINCT', mode, [...marked(), query('SELECT DISTINCT at, k FROM i')]),
  add('deduplication below windows', mode, [
    ...marked(),
    { view: 'd', of: 'i', dropDuplicates: ['k', 'at'] },
    query("SELECT window(at, '5 seconds') w, count(*) c FROM d GROUP BY 1"),
  ]),
  add('one watermark twice', mode, [
    ...marked(),
    query("SELECT window(at, '10 seconds') w, count(*) c FROM (SELECT * FROM i UNION ALL SELECT * FROM i WHERE v > 1) GROUP BY 1"),
  ]),
  add('two watermarks in a union', mode, [
    ...sides(),
    query("SELECT window(at, '10 seconds') w, count(*) c FROM (SELECT aat AS at FROM a UNION ALL SELECT bat FROM b) GROUP BY 1"),
  ]),
])
const sessions = (['append', 'complete'] as const).flatMap((mode) => [
  add('sessions', mode, [...marked('3 seconds'), query("SELECT session_window(at, '6 seconds') w, k, count(*) c FROM i GROUP BY 1, 2")]),
  add('sessions with gaps of rows', mode, [
    ...marked(),
    query(
      "SELECT session_window(at, CASE WHEN v = 1 THEN '5 seconds' WHEN v = 2 THEN '2 seconds' ELSE '0 seconds' END) w, k, count(*) c FROM i GROUP BY 1, 2",
    ),
  ]),
])
const rows = (['append', 'update'] as const).flatMap((mode) => [
  add('deduplication', mode, [...marked(), { view: 'd', of: 'i', dropDuplicates: ['k'] }, query('SELECT k FROM d')]),
  add('deduplication within the watermark', mode, [
    ...marked('3 seconds'),
    { view: 'd', of: 'i', dropDuplicatesWithinWatermark: ['k'] },
    query('SELECT k FROM d'),
  ]),
  add('windows over a join with a table', mode, [
    ...marked(),
    table,
    query("SELECT window(at, '5 seconds') w, word, count(*) c FROM i JOIN words USING (k) GROUP BY 1, 2"),
  ]),
])
const chains = [
  add('windows over windows', 'append', [
    ...marked(),
    query(
      "SELECT window(window_time(w), '20 seconds') w2, sum(c) c FROM (SELECT window(at, '5 seconds') w, count(*) c FROM i GROUP BY 1) GROUP BY 1",
    ),
  ]),
  add('a join of aggregations', 'append', [
    ...sides(),
    { view: 'x', sql: "SELECT window(aat, '10 seconds') w, count(*) c FROM a GROUP BY 1" },
    { view: 'y', sql: "SELECT window(bat, '10 seconds') w, count(*) c FROM b GROUP BY 1" },
    query('SELECT x.w, x.c, y.c d FROM x JOIN y ON x.w = y.w'),
  ]),
  add('windows over an outer join', 'append', [
    ...sides(),
    query('SELECT aw.w, count(*) c, count(bv) n FROM aw LEFT JOIN bw ON ak = bk AND aw.w = bw.w GROUP BY 1'),
  ]),
]
const onWindows = {
  windows: 'ak = bk AND aw.w = bw.w',
  'windows and a comparison': 'ak = bk AND aw.w = bw.w AND av < bv',
  'windows and one side': 'ak = bk AND aw.w = bw.w AND ak > 1',
  'null-safe keys and windows': 'ak <=> bk AND aw.w = bw.w',
}
const range = 'ak = bk AND aat BETWEEN bat - INTERVAL 5 SECONDS AND bat + INTERVAL 8 SECONDS'
const joins = (['JOIN', 'LEFT JOIN', 'RIGHT JOIN', 'LEFT SEMI JOIN'] as const).flatMap((how) => {
  const both = how !== 'LEFT SEMI JOIN'
  return [
    ...Object.entries(onWindows).map(([name, condition]) =>
      add(`${how} on ${name}`, 'append', [
        ...sides(),
        query(`SELECT ak, aw.w, av${both ? ', bk, bw.w AS bw, bv' : ''} FROM aw ${how} bw ON ${condition}`),
      ]),
    ),
    add(`${how} on a range of times`, 'append', [
      ...sides(),
      query(`SELECT ak, CAST(aat AS LONG) aat, av${both ? ', bk, CAST(bat AS LONG) bat, bv' : ''} FROM a ${how} b ON ${range}`),
    ]),
  ]
})

/** What stands above a join or an aggregation and makes it keep fewer rows. */
const narrowed = [
  add('windows over times that a LEFT JOIN may not have', 'append', [
    ...sides(),
    { view: 'j', sql: `SELECT bat AS at, coalesce(av, 0) + coalesce(bv, 0) AS v FROM a LEFT JOIN b ON ${range}` },
    query("SELECT window(at, '10 seconds') w, sum(v) s FROM j GROUP BY 1"),
  ]),
  add('a filter over a FULL OUTER JOIN', 'append', [
    ...sides(),
    query(`SELECT ak, bk, av, bv FROM a FULL OUTER JOIN b ON ${range} WHERE av < bv`),
  ]),
  add('a semi join with a table over windows', 'append', [
    ...marked(),
    table,
    { view: 'g', sql: "SELECT window(at, '5 seconds') w, k, count(*) c FROM i GROUP BY 1, 2" },
    query('SELECT g.* FROM g LEFT SEMI JOIN words ON g.k = words.k'),
  ]),
  add('an anti join with a table over a join', 'append', [
    ...sides(),
    table,
    { view: 'j', sql: `SELECT ak AS k, av, bv FROM a JOIN b ON ${range}` },
    query('SELECT j.* FROM j LEFT ANTI JOIN words ON j.k = words.k'),
  ]),
]

/** What filters say, below watermarks and of the other side of a join. */
const filtered = [
  add('NOT IN a table over a union', 'append', [
    ...sides(),
    table,
    { view: 'u', sql: 'SELECT ak AS k, aat AS at FROM a UNION ALL SELECT bk, bat FROM b' },
    query("SELECT window(at, '5 seconds') w, count(*) c FROM u WHERE k NOT IN (SELECT k FROM words WHERE word <> 'two') GROUP BY 1"),
  ]),
  add('windows over a RIGHT JOIN with a condition on one side', 'append', [
    ...sides(),
    { view: 'j', sql: 'SELECT aat AS at, bv FROM a RIGHT JOIN b ON ak = bk AND aat = bat AND ak <> 3' },
    query("SELECT window(at, '10 seconds') w, count(bv) c FROM j GROUP BY 1"),
  ]),
]

/** The order of values inside of others, and nulls among them. */
const nested = [
  add('windows over a LEFT JOIN, its rows in order', 'append', [
    ...sides(),
    { view: 'j', sql: `SELECT aat AS at, struct(bk, av) AS s, array(bv, ak) AS l FROM a LEFT JOIN b ON ${range}` },
    query(
      "SELECT window(at, '10 seconds') w, sort_array(collect_list(s)) s, max(l) l, min(s) ms, count_if(s > struct(1, 1)) c FROM j GROUP BY 1",
    ),
  ]),
]

/** Of two aggregations one changes nothing: it is no step. */
const redundant = [
  add('the greatest of the keys of an aggregation', 'append', [
    ...marked(),
    { view: 'g', sql: "SELECT window(at, '10 seconds', '5 seconds') w, k, src, count(*) c FROM i GROUP BY 1, 2, 3" },
    query('SELECT w, max(k) m, collect_set(src) IS NULL n FROM g GROUP BY w'),
  ]),
  add('SELECT DISTINCT over keys of an aggregation', 'append', [
    ...marked('3 seconds'),
    { view: 'g', sql: "SELECT window(at, '5 seconds') w, k, count(*) c FROM i GROUP BY 1, 2" },
    query('SELECT DISTINCT w, k + 1 AS n FROM g'),
  ]),
  add('groups EXCEPT a table', 'append', [
    ...marked(),
    table,
    query("SELECT window(at, '5 seconds') w, k FROM i GROUP BY 1, 2 EXCEPT SELECT NULL, k FROM words"),
  ]),
]

const ordered = [
  add('percentiles of windows', 'update', [
    ...marked(),
    query(
      "SELECT window(at, '20 seconds') w, percentile_disc(0.4) WITHIN GROUP (ORDER BY v) p, percentile_disc(array(0, 0.5)) WITHIN GROUP (ORDER BY v DESC) d, mode() WITHIN GROUP (ORDER BY k DESC) m FROM i GROUP BY 1",
    ),
  ]),
]

/** What Spark's optimizer finds that is no step, or says of nulls; each was the one of some seventy random streams that differed. */
const folded = [
  add('groups EXCEPT a NULL in a column without nulls', 'append', [
    ...marked('3 seconds'),
    table,
    { view: 'g', sql: "SELECT window(at, '10 seconds') w, k, src, count(*) c, max(v) m FROM i GROUP BY 1, 2, 3" },
    query('SELECT w, k FROM g WHERE k > 1 EXCEPT SELECT NULL, k FROM words'),
  ]),
  add('the greatest of a constant over an aggregation', 'append', [
    ...marked('0 seconds'),
    { view: 'g', sql: "SELECT window(at, '10 seconds', '4 seconds') w, k, src, 1 AS c, k + 1 AS n FROM i GROUP BY 1, 2, 3" },
    query('SELECT w, max(c) x, min(n) n FROM g WHERE k > 1 GROUP BY w'),
  ]),
  add('uneven windows over a RIGHT JOIN', 'append', [
    ...sides('10 seconds', '3 seconds'),
    { view: 'j', sql: 'SELECT * FROM a RIGHT JOIN b ON ak = bk AND aat >= bat AND aat <= bat + INTERVAL 10 SECONDS' },
    query("SELECT window(aat, '10 seconds', '4 seconds') w, ak, count(*) c FROM j GROUP BY 1, 2"),
  ]),
  add('a LEFT JOIN with functions in its condition', 'append', [
    ...sides(),
    query(
      "SELECT * FROM a LEFT JOIN b ON ak <=> bk AND bat BETWEEN aat AND aat + INTERVAL 6 SECONDS AND date_add(DATE'2020-01-01', ak) = date_add(DATE'2020-01-01', bk)",
    ),
  ]),
  add('a filter by a function over a LEFT JOIN', 'append', [
    ...sides(),
    query(`SELECT ak, bk, av, bv FROM a LEFT JOIN b ON ${range} WHERE round(bv, 0) > 1 OR trim(CAST(bv AS STRING)) = '0'`),
  ]),
]

const listed = [
  add('texts in order', 'update', [
    ...marked(),
    query(
      "SELECT window(at, '20 seconds') w, k, listagg(src, ',') WITHIN GROUP (ORDER BY v DESC, src) a, string_agg(v, '|') WITHIN GROUP (ORDER BY src, v) b FROM i GROUP BY 1, 2",
    ),
  ]),
]

const keyed = [
  add('a filter by what an aggregation makes of its keys', 'append', [
    ...marked(),
    { view: 'g', sql: "SELECT window(at, '10 seconds') w, k, k + 1 AS n, 1 AS c, count(*) m FROM i GROUP BY 1, 2" },
    query('SELECT w, k, m FROM g WHERE n > 2 AND c = 1'),
  ]),
  add('a filter by a constant of an aggregation, which is never true', 'append', [
    ...marked(),
    { view: 'g', sql: "SELECT window(at, '10 seconds') w, k, src, 1 AS c, 2 AS m FROM i GROUP BY 1, 2, 3" },
    query('SELECT w, src, max(k) x FROM g WHERE c > 1 GROUP BY w, src'),
  ]),
]

const parts = [
  add('an OR in the condition of a JOIN that says something of one side', 'append', [
    ...sides('0 seconds', '10 seconds'),
    query(
      'SELECT * FROM a JOIN b ON bat >= aat AND bat <= aat + INTERVAL 6 SECONDS AND ak = bk AND (bv % 2 = 1 AND av IS NOT NULL OR unix_timestamp(bat) > 30)',
    ),
  ]),
  add('a LEFT JOIN with an OR and functions of equal columns', 'append', [
    ...sides(),
    query(
      `SELECT * FROM a LEFT JOIN b ON ${range} AND (bv > 1 AND av > 0 OR upper(CAST(bv AS STRING)) = '1') WHERE trim(CAST(ak AS STRING)) <> '3'`,
    ),
  ]),
  add('functions of equal columns above a JOIN', 'append', [
    ...sides('10 seconds', '10 seconds'),
    { view: 'j', sql: "SELECT * FROM a JOIN b ON ak = bk AND aat = bat WHERE concat(CAST(bk AS STRING), 'x') LIKE '1%' OR month(bat) > 1" },
    query("SELECT window(bat, '10 seconds') w, count(*) c FROM j GROUP BY 1"),
  ]),
]

export const streamCases: readonly StreamCase[] = [
  ...aggregations,
  ...sessions,
  ...rows,
  ...chains,
  ...joins,
  ...narrowed,
  ...filtered,
  ...nested,
  ...redundant,
  ...ordered,
  ...folded,
  ...listed,
  ...keyed,
  ...parts,
]
