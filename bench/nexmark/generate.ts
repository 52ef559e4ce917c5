/**
 * The Nexmark stream, as a pure function of its arguments: people, auctions and bids of an auction house as NDJSON, one object an event. The algorithm is
 * the published one of Nexmark (Apache Beam's, after Tucker et al.), its three random streams being seeded SplittableRandoms as java.util has them, so that
 * a JVM with the same seeds gives the same events. The order of the draws is part of it: the digest in generate.test.ts holds it fast.
 */

export interface NexmarkOptions {
  readonly events: number
  /** Events a second of event time. */
  readonly rate: number
  readonly seed: number
  /** Events are shuffled within groups of so many; 1 leaves them in order. */
  readonly outOfOrderGroup?: number
}

const baseTimeMs = 1_436_918_400_000
const firstId = 1000
const idLead = 10
const firstCategory = 10
const proportions = { people: 1, auctions: 3, all: 50 }
/** Every hundredth is hot. */
const hotStride = 100
const ratios = { seller: 4, auction: 2, bidder: 4, channel: 2 }
const inFlightAuctions = 100
const activePeople = 1000
const meanBytes = { person: 200, auction: 500, bid: 100 }
const channels = 10_000
const hotChannels = ['Google', 'Facebook', 'Baidu', 'Apple']
const states = 'AZ,CA,ID,OR,WA,WY'.split(',')
const cities = 'Phoenix,Los Angeles,San Francisco,Boise,Portland,Bend,Redmond,Seattle,Kent,Cheyenne'.split(',')
const firstNames = 'Peter,Paul,Luke,John,Saul,Vicky,Kate,Julie,Sarah,Deiter,Walter'.split(',')
const lastNames = 'Shultz,Abrams,Spencer,White,Bartels,Walton,Smith,Jones,Noris'.split(',')

/** java.util.SplittableRandom without split(). 64-bit numbers are two halves: BigInt would take ten times as long. */
class SplittableRandom {
  #high: number
  #low: number
  constructor(seed: number) {
    this.#high = Math.floor(seed / 4294967296) >>> 0
    this.#low = seed >>> 0
  }

  #step(): void {
    const low = this.#low + 0x7f4a7c15
    this.#low = low >>> 0
    this.#high = (this.#high + 0x9e3779b9 + (low > 0xffffffff ? 1 : 0)) >>> 0
  }

  int32(): number {
    this.#step()
    product.high = this.#high
    product.low = this.#low
    shiftXor(33)
    multiply(0x62a9d9ed, 0x799705f5)
    shiftXor(28)
    multiply(0xcb24d0a5, 0xc88c35b3)
    return product.high | 0
  }

  /** In [0, bound). */
  below(bound: number): number {
    let drawn = this.int32()
    const most = bound - 1
    if ((bound & most) === 0) return drawn & most
    for (;;) {
      const positive = drawn >>> 1
      const rest = positive % bound
      if (positive + most - rest < 2147483648) return rest
      drawn = this.int32()
    }
  }

  /** In [0, 1). */
  double(): number {
    this.#step()
    product.high = this.#high
    product.low = this.#low
    shiftXor(30)
    multiply(0xbf58476d, 0x1ce4e5b9)
    shiftXor(27)
    multiply(0x94d049bb, 0x133111eb)
    shiftXor(31)
    return (product.high * 2097152 + (product.low >>> 11)) / 9007199254740992
  }
}

const product = { high: 0, low: 0 }
/** x ^= x >>> bits. */
function shiftXor(bits: number): void {
  const { high, low } = product
  if (bits >= 32) product.low = (low ^ (high >>> (bits - 32))) >>> 0
  else {
    product.low = (low ^ ((low >>> bits) | (high << (32 - bits)))) >>> 0
    product.high = (high ^ (high >>> bits)) >>> 0
  }
}
/** The low 64 bits of x * (high, low). */
function multiply(high: number, low: number): void {
  const a = product.low
  const [a1, a0, b1, b0] = [a >>> 16, a & 0xffff, low >>> 16, low & 0xffff]
  const lowest = a0 * b0
  const middle = a1 * b0 + (lowest >>> 16)
  const other = a0 * b1 + (middle & 0xffff)
  const carried = a1 * b1 + Math.floor(middle / 65536) + Math.floor(other / 65536)
  product.high = (carried + Math.imul(product.high, low) + Math.imul(a, high)) >>> 0
  product.low = (((other & 0xffff) << 16) | (lowest & 0xffff)) >>> 0
}

/** The events in order of arrival, each a line of JSON without its end. */
export function* nexmarkEvents(options: NexmarkOptions): Generator<string> {
  const generator = new EventGenerator(options)
  for (let n = 0; n < options.events; n++) yield generator.event(n)
}

class EventGenerator {
  readonly #random: SplittableRandom
  readonly #pool: string
  readonly #hotUrls: readonly string[]
  readonly #channels: readonly (readonly [string, string])[]
  readonly #delayUs: number
  readonly #group: number
  readonly #texts = new Map<number, string>()

  constructor({ rate, seed, outOfOrderGroup = 1 }: NexmarkOptions) {
    this.#delayUs = 1_000_000 / rate
    this.#group = outOfOrderGroup
    this.#random = new SplittableRandom(seed)
    this.#pool = fillerPool(new SplittableRandom(seed + 2), 1024 * 1024)
    const urls = new SplittableRandom(seed + 1)
    this.#hotUrls = hotChannels.map(() => baseUrl(urls))
    this.#channels = Array.from({ length: channels }, (_, i) => {
      const url = baseUrl(urls)
      return [`channel-${i}`, urls.below(10) > 0 ? `${url}&channel_id=${channelId(i)}` : url] as const
    })
  }

  event(n: number): string {
    const id = Math.floor(n / this.#group) * this.#group + ((n * 953) % this.#group)
    const timeMs = this.#timeMs(id)
    const rest = id % proportions.all
    if (rest < proportions.people) return `{"event_type":0,"person":${this.#person(id, timeMs)},"auction":null,"bid":null}`
    if (rest < proportions.people + proportions.auctions)
      return `{"event_type":1,"person":null,"auction":${this.#auction(id, timeMs)},"bid":null}`
    return `{"event_type":2,"person":null,"auction":null,"bid":${this.#bid(id, timeMs)}}`
  }

  #timeMs(id: number): number {
    return baseTimeMs + Math.floor(Math.floor(id * this.#delayUs) / 1000)
  }

  #person(event: number, timeMs: number): string {
    const r = this.#random
    const name = `${pick(r, firstNames)} ${pick(r, lastNames)}`
    const email = `${randomText(r, 7)}@${randomText(r, 5)}.com`
    const card = Array.from({ length: 4 }, () => String(r.below(10000)).padStart(4, '0')).join(' ')
    const city = pick(r, cities)
    const state = pick(r, states)
    const size = 8 + name.length + email.length + card.length + city.length + state.length
    const extra = this.#extra(size, meanBytes.person)
    return `{"id":${lastPerson(event) + firstId},"name":${JSON.stringify(name)},"emailAddress":${JSON.stringify(email)},"creditCard":"${card}","city":"${city}","state":"${state}","dateTime":"${this.#text(timeMs)}","extra":${JSON.stringify(extra)}}`
  }

  #auction(event: number, timeMs: number): string {
    const r = this.#random
    const isHot = r.below(ratios.seller) > 0
    const seller = isHot ? Math.floor(lastPerson(event) / hotStride) * hotStride : this.#somePerson(event)
    const category = firstCategory + r.below(5)
    const initialBid = price(r)
    const ahead = Math.floor((inFlightAuctions * proportions.all) / proportions.auctions)
    const horizonMs = this.#timeMs(event + ahead) - timeMs
    const expiresMs = timeMs + 1 + r.below(Math.max(horizonMs * 2, 1))
    const itemName = randomText(r, 20)
    const description = randomText(r, 100)
    const reserve = initialBid + price(r)
    const extra = this.#extra(8 + itemName.length + description.length + 40, meanBytes.auction)
    return `{"id":${lastAuction(event) + firstId},"itemName":${JSON.stringify(itemName)},"description":${JSON.stringify(description)},"initialBid":${initialBid},"reserve":${reserve},"dateTime":"${this.#text(timeMs)}","expires":"${this.#text(expiresMs)}","seller":${seller + firstId},"category":${category},"extra":${JSON.stringify(extra)}}`
  }

  #bid(event: number, timeMs: number): string {
    const r = this.#random
    const auction = r.below(ratios.auction) > 0 ? Math.floor(lastAuction(event) / hotStride) * hotStride : this.#someAuction(event)
    const bidder = r.below(ratios.bidder) > 0 ? Math.floor(lastPerson(event) / hotStride) * hotStride + 1 : this.#somePerson(event)
    const amount = price(r)
    const hot = r.below(ratios.channel) > 0 ? r.below(hotChannels.length) : -1
    const [channel, url] = hot >= 0 ? [hotChannels[hot]!, this.#hotUrls[hot]!] : this.#channels[r.below(channels)]!
    const extra = this.#extra(32, meanBytes.bid)
    return `{"auction":${auction + firstId},"bidder":${bidder + firstId},"price":${amount},"channel":"${channel}","url":${JSON.stringify(url)},"dateTime":"${this.#text(timeMs)}","extra":${JSON.stringify(extra)}}`
  }

  #somePerson(event: number): number {
    const people = lastPerson(event) + 1
    const active = Math.min(people, activePeople)
    return people - active + this.#random.below(active + idLead)
  }
  #someAuction(event: number): number {
    const last = lastAuction(event)
    const first = Math.max(last - inFlightAuctions, 0)
    return first + this.#random.below(last - first + 1 + idLead)
  }

  /** Filler that brings the event near its mean size. */
  #extra(size: number, mean: number): string {
    if (size > mean) return ''
    const lacking = mean - size
    const spread = Math.floor(lacking * 0.2 + 0.5)
    const length = lacking - spread + (spread === 0 ? 0 : this.#random.below(2 * spread))
    const from = this.#random.below(this.#pool.length - length)
    return this.#pool.slice(from, from + length)
  }

  #text(timeMs: number): string {
    const second = Math.floor(timeMs / 1000)
    let text = this.#texts.get(second)
    if (text === undefined) {
      if (this.#texts.size > 100_000) this.#texts.clear()
      text = new Date(second * 1000).toISOString().slice(0, 19).replace('T', ' ')
      this.#texts.set(second, text)
    }
    return `${text}.${String(timeMs - second * 1000).padStart(3, '0')}`
  }
}

function lastPerson(event: number): number {
  return Math.floor(event / proportions.all) * proportions.people + Math.min(event % proportions.all, proportions.people - 1)
}
function lastAuction(event: number): number {
  const epoch = Math.floor(event / proportions.all)
  const rest = event % proportions.all
  if (rest < proportions.people) return epoch * proportions.auctions - 1
  return epoch * proportions.auctions + Math.min(rest - proportions.people, proportions.auctions - 1)
}

function pick(r: SplittableRandom, from: readonly string[]): string {
  return from[r.below(from.length)]!
}
function price(r: SplittableRandom): number {
  return Math.floor(10 ** (r.double() * 6) * 100 + 0.5)
}

function randomText(r: SplittableRandom, most: number, special = ' '): string {
  const length = 3 + r.below(most - 3)
  let text = ''
  for (let i = 0; i < length; i++) text += r.below(13) === 0 ? special : String.fromCharCode(97 + r.below(26))
  return text.replace(/^ +| +$/g, '')
}
function baseUrl(r: SplittableRandom): string {
  return `https://www.nexmark.com/${randomText(r, 5, '_')}/${randomText(r, 5, '_')}/${randomText(r, 5, '_')}/item.htm?query=1`
}

/** Six letters a draw. The remainder of a negative draw is negative, as in Java, so that capitals and brackets come in. */
function fillerPool(r: SplittableRandom, length: number): string {
  const codes = new Uint8Array(length)
  let drawn = 0
  for (let i = 0; i < length; i++) {
    if (i % 6 === 0) drawn = r.int32()
    codes[i] = 97 + (drawn % 26)
    drawn = Math.trunc(drawn / 26)
  }
  return Buffer.from(codes).toString('latin1')
}

/** Math.abs(Integer.reverse(i)), whose result is negative for the smallest integer. */
function channelId(i: number): number {
  let reversed = 0
  for (let bit = 0; bit < 32; bit++) if ((i >>> bit) & 1) reversed |= 1 << (31 - bit)
  return reversed === -2147483648 ? reversed : Math.abs(reversed)
}
