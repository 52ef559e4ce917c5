import { type Engine, expr, session_window, t, udf, window } from 'millrace'

/** A stream of Nexmark events in a folder of NDJSON, as three streams of flat rows, and the table that q13 looks values up in. */
export interface NexmarkStreams {
  readonly person: AnyFrame
  readonly auction: AnyFrame
  readonly bid: AnyFrame
  readonly sideInput: AnyFrame
}
/** The queries are written with names in text, as one pastes them from SQL: nothing of them is checked by the compiler. */
// biome-ignore lint/suspicious/noExplicitAny: see above
export type AnyFrame = any

export interface NexmarkQuery {
  readonly name: string
  readonly kind: 'stateless' | 'windowed' | 'join' | 'aggregate'
  readonly outputMode: 'append' | 'update'
  /** Update mode: the columns by which the last row of each key is the result. */
  readonly keys?: readonly string[]
  /** Whether a last event has to push the watermark past the last window. */
  readonly closes?: true
  /** q10 writes files in folders by these. */
  readonly partitionBy?: readonly string[]
  readonly build: (streams: NexmarkStreams) => AnyFrame
  /** The answer over all events, as SQL for DuckDB over the tables person, auction, bid and side_input. Columns as in the result, by position. */
  readonly sql: string
}

const person =
  'struct<id: bigint, name: string, emailAddress: string, creditCard: string, city: string, state: string, dateTime: timestamp, extra: string>'
const auction =
  'struct<id: bigint, itemName: string, description: string, initialBid: bigint, reserve: bigint, dateTime: timestamp, expires: timestamp, seller: bigint, category: bigint, extra: string>'
const bid = 'struct<auction: bigint, bidder: bigint, price: bigint, channel: string, url: string, dateTime: timestamp, extra: string>'
export const eventSchema = `event_type int, person ${person}, auction ${auction}, bid ${bid}`

/** With a watermark where the query's windows have to close; a query without state has no use for one, and measures no event times. */
export function openStreams(engine: Engine, folder: string, sideInput: string, filesPerBatch: number, marked: boolean): NexmarkStreams {
  const of = (type: number, name: string): AnyFrame => {
    const rows: AnyFrame = engine.readStream
      .schema(eventSchema)
      .option('maxFilesPerTrigger', filesPerBatch)
      .json(folder)
      .where(`event_type = ${type}`)
      .selectExpr(`${name}.*`)
    return marked ? rows.withWatermark('dateTime', '4 seconds') : rows
  }
  return {
    person: of(0, 'person'),
    auction: of(1, 'auction'),
    bid: of(2, 'bid'),
    sideInput: engine.read.parquet(sideInput, { key: t.long(), value: t.string() }),
  }
}

/** q14 as the original has it, a loop over chars in a function of the program. */
const countC = udf([t.string()], t.long(), (text: string | null) => {
  let count = 0
  if (text !== null) for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) === 99) count++
  return BigInt(count)
})

const tumbling = '10 seconds'
const ranks = { rank1: 'price < 10000', rank2: 'price >= 10000 and price < 1000000', rank3: 'price >= 1000000' }
const ranked = Object.entries(ranks)
/** Spark refuses distinct aggregates over streams (see the bench's head); the set of the values is an aggregate like any other. */
const distinctCounts = (of: string, as: string): readonly string[] => [
  `size(collect_set(${of})) AS total_${as}`,
  ...ranked.map(([rank, condition]) => `size(collect_set(CASE WHEN ${condition} THEN ${of} END)) AS ${rank}_${as}`),
]
const bidCounts = [
  'count(*) AS total_bids',
  ...ranked.map(([rank, condition]) => `count(CASE WHEN ${condition} THEN 1 END) AS ${rank}_bids`),
]
const aggregates = (texts: readonly string[]) => () =>
  Object.fromEntries(
    texts.map((text) => {
      const at = text.lastIndexOf(' AS ')
      return [text.slice(at + 4), expr(text.slice(0, at))]
    }),
  )

const sqlRanks = (values: readonly (readonly [string, string])[]) => values.map(([text, as]) => `${text} AS ${as}`).join(', ')
const sqlDistinct = (of: string, as: string): readonly (readonly [string, string])[] => [
  [`count(DISTINCT ${of})`, `total_${as}`],
  ...ranked.map(([rank, condition]) => [`count(DISTINCT ${of}) FILTER (WHERE ${condition})`, `${rank}_${as}`] as const),
]
const sqlBids: readonly (readonly [string, string])[] = [
  ['count(*)', 'total_bids'],
  ...ranked.map(([rank, condition]) => [`count(*) FILTER (WHERE ${condition})`, `${rank}_bids`] as const),
]
const sqlWindow = 'time_bucket(INTERVAL 10 SECOND, dateTime)'
const sqlSliding = `SELECT auction, make_timestamp(w * 1000000) AS start, count(*) AS num
  FROM (SELECT auction, unnest(range(((epoch_us(dateTime) // 2000000) * 2 - 8)::BIGINT, ((epoch_us(dateTime) // 2000000) * 2 + 2)::BIGINT, 2)) AS w FROM bid)
  GROUP BY ALL`

const withDay = (bid: AnyFrame): AnyFrame => bid.withColumn('day', expr("date_format(dateTime, 'yyyy-MM-dd')"))

const bidTime =
  "CASE WHEN hour(dateTime) >= 8 AND hour(dateTime) <= 18 THEN 'dayTime' WHEN hour(dateTime) <= 6 OR hour(dateTime) >= 20 THEN 'nightTime' ELSE 'otherTime' END AS bidTimeType"
const isDear = '0.908 * price > 1000000 AND 0.908 * price < 50000000'

function q14(name: string, counted: (bid: AnyFrame) => AnyFrame): NexmarkQuery {
  return {
    name,
    kind: 'stateless',
    outputMode: 'append',
    build: ({ bid }) =>
      counted(bid.where(isDear)).selectExpr(
        'auction',
        'bidder',
        'CAST(0.908 * price AS decimal(23, 3)) AS price',
        bidTime,
        'dateTime',
        'extra',
        'c_counts',
      ),
    sql: `SELECT auction, bidder, (0.908 * price)::DECIMAL(23, 3) AS price, ${bidTime}, dateTime, extra,
      length(extra) - length(replace(extra, 'c', '')) AS c_counts FROM bid WHERE ${isDear}`,
  }
}

const all: readonly NexmarkQuery[] = [
  {
    name: 'q0',
    kind: 'stateless',
    outputMode: 'append',
    build: ({ bid }) => bid.selectExpr('auction', 'bidder', 'price', 'dateTime', 'extra'),
    sql: 'SELECT auction, bidder, price, dateTime, extra FROM bid',
  },
  {
    name: 'q1',
    kind: 'stateless',
    outputMode: 'append',
    build: ({ bid }) => bid.selectExpr('auction', 'bidder', 'CAST(0.908 * price AS decimal(23, 3)) AS price', 'dateTime', 'extra'),
    sql: 'SELECT auction, bidder, (0.908 * price)::DECIMAL(23, 3) AS price, dateTime, extra FROM bid',
  },
  {
    name: 'q2',
    kind: 'stateless',
    outputMode: 'append',
    build: ({ bid }) => bid.where('auction % 123 = 0').selectExpr('auction', 'price'),
    sql: 'SELECT auction, price FROM bid WHERE auction % 123 = 0',
  },
  {
    name: 'q3',
    kind: 'join',
    outputMode: 'append',
    build: ({ auction, person }) =>
      auction
        .where('category = 10')
        .selectExpr('id AS auction', 'seller')
        .join(person.where("state IN ('OR', 'ID', 'CA')").selectExpr('id', 'name', 'city', 'state'), expr('seller = id'))
        .selectExpr('name', 'city', 'state', 'auction'),
    sql: "SELECT p.name, p.city, p.state, a.id AS auction FROM auction a JOIN person p ON a.seller = p.id WHERE a.category = 10 AND p.state IN ('OR', 'ID', 'CA')",
  },
  {
    name: 'q5',
    kind: 'windowed',
    outputMode: 'append',
    closes: true,
    build: ({ bid }) => {
      const perWindow = () =>
        bid
          .groupBy((row: AnyFrame) => ({ window: window(row.dateTime, tumbling, '2 seconds'), auction: row.auction }))
          .agg(aggregates(['count(*) AS num']))
      return perWindow()
        .join(
          perWindow()
            .groupBy('window')
            .agg(aggregates(['max(num) AS most'])),
          'window',
        )
        .where('num >= most')
        .selectExpr('auction', 'num', 'window.start AS start')
    },
    sql: `WITH counts AS (${sqlSliding})
      SELECT c.auction, c.num, c.start FROM counts c JOIN (SELECT start, max(num) AS most FROM counts GROUP BY 1) m ON c.start = m.start AND c.num >= m.most`,
  },
  {
    name: 'q7',
    kind: 'windowed',
    outputMode: 'append',
    closes: true,
    build: ({ bid }) =>
      bid
        .join(
          bid
            .groupBy((row: AnyFrame) => ({ window: window(row.dateTime, tumbling) }))
            .agg(aggregates(['max(price) AS most']))
            .selectExpr('most', 'window.end AS windowEnd'),
          expr('price = most AND dateTime BETWEEN windowEnd - INTERVAL 10 SECONDS AND windowEnd'),
        )
        .selectExpr('auction', 'price', 'bidder', 'dateTime', 'extra'),
    sql: `SELECT b.auction, b.price, b.bidder, b.dateTime, b.extra FROM bid b
      JOIN (SELECT max(price) AS most, ${sqlWindow} + INTERVAL 10 SECOND AS windowEnd FROM bid GROUP BY 2) m
      ON b.price = m.most AND b.dateTime BETWEEN m.windowEnd - INTERVAL 10 SECOND AND m.windowEnd`,
  },
  {
    name: 'q8',
    kind: 'join',
    outputMode: 'append',
    closes: true,
    build: ({ person, auction }) =>
      person
        .groupBy((row: AnyFrame) => ({ id: row.id, name: row.name, window: window(row.dateTime, tumbling) }))
        .agg(aggregates(['count(*) AS registrations']))
        .join(
          auction
            .groupBy((row: AnyFrame) => ({ seller: row.seller, opened: window(row.dateTime, tumbling) }))
            .agg(aggregates(['count(*) AS auctions'])),
          expr('id = seller AND window = opened'),
        )
        .selectExpr('id', 'name', 'window.start AS start'),
    sql: `SELECT p.id, p.name, p.start FROM (SELECT id, name, ${sqlWindow} AS start FROM person GROUP BY ALL) p
      JOIN (SELECT seller, ${sqlWindow} AS start FROM auction GROUP BY ALL) a ON p.id = a.seller AND p.start = a.start`,
  },
  {
    name: 'q10',
    kind: 'stateless',
    outputMode: 'append',
    partitionBy: ['dt', 'hm'],
    build: ({ bid }) =>
      bid.selectExpr(
        'auction',
        'bidder',
        'price',
        'dateTime',
        'extra',
        "date_format(dateTime, 'yyyy-MM-dd') AS dt",
        "date_format(dateTime, 'HH:mm') AS hm",
      ),
    sql: "SELECT auction, bidder, price, dateTime, extra, strftime(dateTime, '%Y-%m-%d') AS dt, strftime(dateTime, '%H:%M') AS hm FROM bid",
  },
  {
    name: 'q11',
    kind: 'windowed',
    outputMode: 'append',
    closes: true,
    build: ({ bid }) =>
      bid
        .groupBy((row: AnyFrame) => ({ bidder: row.bidder, session: session_window(row.dateTime, tumbling) }))
        .agg(aggregates(['count(*) AS bids']))
        .selectExpr('bidder', 'bids', 'session.start AS start', 'session.end AS end'),
    // a bid just at the end of a session belongs to it
    sql: `WITH marked AS (SELECT *, CASE WHEN dateTime - lag(dateTime) OVER w <= INTERVAL 10 SECOND THEN 0 ELSE 1 END AS fresh FROM bid
        WINDOW w AS (PARTITION BY bidder ORDER BY dateTime)),
      numbered AS (SELECT *, sum(fresh) OVER (PARTITION BY bidder ORDER BY dateTime ROWS UNBOUNDED PRECEDING) AS session FROM marked)
      SELECT bidder, count(*) AS bids, min(dateTime) AS start, max(dateTime) + INTERVAL 10 SECOND AS end FROM numbered GROUP BY bidder, session`,
  },
  {
    name: 'q13',
    kind: 'stateless',
    outputMode: 'append',
    build: ({ bid, sideInput }) =>
      bid.withColumn('key', expr('auction % 10000')).join(sideInput, 'key').selectExpr('auction', 'bidder', 'price', 'dateTime', 'value'),
    sql: 'SELECT b.auction, b.bidder, b.price, b.dateTime, s.value FROM bid b JOIN side_input s ON b.auction % 10000 = s.key',
  },
  q14('q14', (bid) => bid.withColumn('c_counts', expr("length(extra) - length(replace(extra, 'c', ''))"))),
  q14('q14-udf', (bid) => bid.withColumn('c_counts', ({ extra }: AnyFrame) => countC(extra))),
  {
    name: 'q15',
    kind: 'aggregate',
    outputMode: 'update',
    keys: ['day'],
    build: ({ bid }) =>
      withDay(bid)
        .groupBy('day')
        .agg(aggregates([...bidCounts, ...distinctCounts('bidder', 'bidders'), ...distinctCounts('auction', 'auctions')])),
    sql: `SELECT strftime(dateTime, '%Y-%m-%d') AS day, ${sqlRanks([...sqlBids, ...sqlDistinct('bidder', 'bidders'), ...sqlDistinct('auction', 'auctions')])} FROM bid GROUP BY 1`,
  },
  {
    name: 'q16',
    kind: 'aggregate',
    outputMode: 'update',
    keys: ['channel', 'day'],
    build: ({ bid }) =>
      withDay(bid)
        .groupBy('channel', 'day')
        .agg(
          aggregates([
            "max(date_format(dateTime, 'HH:mm')) AS minute",
            ...bidCounts,
            ...distinctCounts('bidder', 'bidders'),
            ...distinctCounts('auction', 'auctions'),
          ]),
        ),
    sql: `SELECT channel, strftime(dateTime, '%Y-%m-%d') AS day, max(strftime(dateTime, '%H:%M')) AS minute, ${sqlRanks([...sqlBids, ...sqlDistinct('bidder', 'bidders'), ...sqlDistinct('auction', 'auctions')])} FROM bid GROUP BY 1, 2`,
  },
  {
    name: 'q17',
    kind: 'aggregate',
    outputMode: 'update',
    keys: ['auction', 'day'],
    build: ({ bid }) =>
      withDay(bid)
        .groupBy('auction', 'day')
        .agg(
          aggregates([
            ...bidCounts,
            'min(price) AS min_price',
            'max(price) AS max_price',
            'CAST(avg(price) AS bigint) AS avg_price',
            'sum(price) AS sum_price',
          ]),
        ),
    sql: `SELECT auction, strftime(dateTime, '%Y-%m-%d') AS day, ${sqlRanks(sqlBids)}, min(price) AS min_price, max(price) AS max_price,
      trunc(avg(price))::BIGINT AS avg_price, sum(price)::BIGINT AS sum_price FROM bid GROUP BY 1, 2`,
  },
  {
    name: 'q20',
    kind: 'join',
    outputMode: 'append',
    build: ({ bid, auction }) =>
      bid
        .selectExpr('auction', 'bidder', 'price', 'channel', 'url', 'dateTime AS bid_dateTime', 'extra AS bid_extra')
        .join(
          auction
            .where('category = 10')
            .selectExpr(
              'id',
              'itemName',
              'description',
              'initialBid',
              'reserve',
              'dateTime AS auction_dateTime',
              'expires',
              'seller',
              'category',
              'extra AS auction_extra',
            ),
          expr('auction = id'),
        )
        .drop('id'),
    sql: `SELECT auction, bidder, price, channel, url, b.dateTime AS bid_dateTime, b.extra AS bid_extra, itemName, description, initialBid, reserve,
      a.dateTime AS auction_dateTime, expires, seller, category, a.extra AS auction_extra FROM bid b JOIN auction a ON b.auction = a.id WHERE a.category = 10`,
  },
  {
    name: 'q21',
    kind: 'stateless',
    outputMode: 'append',
    build: ({ bid }) =>
      bid
        .selectExpr(
          'auction',
          'bidder',
          'price',
          'channel',
          "CASE lower(channel) WHEN 'apple' THEN '0' WHEN 'google' THEN '1' WHEN 'facebook' THEN '2' WHEN 'baidu' THEN '3' ELSE nullif(regexp_extract(url, '(&|^)channel_id=([^&]*)', 2), '') END AS channel_id",
        )
        .where('channel_id IS NOT NULL'),
    sql: `SELECT * FROM (SELECT auction, bidder, price, channel, CASE lower(channel) WHEN 'apple' THEN '0' WHEN 'google' THEN '1' WHEN 'facebook' THEN '2' WHEN 'baidu' THEN '3'
      ELSE nullif(regexp_extract(url, '(&|^)channel_id=([^&]*)', 2), '') END AS channel_id FROM bid) WHERE channel_id IS NOT NULL`,
  },
  {
    name: 'q22',
    kind: 'stateless',
    outputMode: 'append',
    build: ({ bid }) =>
      bid.selectExpr(
        'auction',
        'bidder',
        'price',
        'channel',
        "split_part(url, '/', 4) AS dir1",
        "split_part(url, '/', 5) AS dir2",
        "split_part(url, '/', 6) AS dir3",
      ),
    sql: "SELECT auction, bidder, price, channel, split_part(url, '/', 4) AS dir1, split_part(url, '/', 5) AS dir2, split_part(url, '/', 6) AS dir3 FROM bid",
  },
  {
    name: 'q23',
    kind: 'join',
    outputMode: 'append',
    build: ({ bid, person, auction }) =>
      bid
        .selectExpr('bidder', 'price', 'channel', 'url', 'extra AS bid_extra')
        .join(
          person.selectExpr('id AS person_id', 'name', 'emailAddress', 'creditCard', 'city', 'state', 'extra AS person_extra'),
          expr('bidder = person_id'),
        )
        .join(
          auction.selectExpr(
            'itemName',
            'description',
            'initialBid',
            'reserve',
            'dateTime AS auction_dateTime',
            'expires',
            'seller',
            'category',
            'extra AS auction_extra',
          ),
          expr('bidder = seller'),
        ),
    sql: `SELECT bidder, price, channel, url, b.extra AS bid_extra, p.id AS person_id, name, emailAddress, creditCard, city, state, p.extra AS person_extra, itemName, description,
      initialBid, reserve, a.dateTime AS auction_dateTime, expires, seller, category, a.extra AS auction_extra
      FROM bid b JOIN person p ON p.id = b.bidder JOIN auction a ON a.seller = b.bidder`,
  },
]
export const nexmarkQueries = all
