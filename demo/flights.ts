import { avg, count, type Engine, max, t, window } from 'millrace'

/** A flight as the files have it: `date` is the time of departure, `delay` in minutes (negative: early), `distance` in miles. */
const flightColumns = {
  date: t.timestamp(),
  delay: t.long(),
  distance: t.long(),
  origin: t.string(),
  destination: t.string(),
}
const airportColumns = { iata: t.string(), name: t.string(), city: t.string(), state: t.string() }

/** The static side: 3,376 airports. */
export function readAirports(engine: Engine, folder: string) {
  return engine.read.schema(airportColumns).option('header', true).csv(folder)
}

/** Flights, average and worst delay for each airport and hour, with the airport's name: as a stream of one file a batch. */
export function delaysAsStream(engine: Engine, flights: string, airports: string) {
  return engine.readStream
    .schema(flightColumns)
    .option('maxFilesPerTrigger', 1)
    .parquet(flights)
    .withWatermark('date', '1 hour')
    .groupBy(({ date, origin }) => ({ hour: window(date, '1 hour'), origin }))
    .agg(({ delay }) => ({ flights: count(), average_delay: avg(delay), worst_delay: max(delay) }))
    .join(readAirports(engine, airports), ({ origin }, { iata }) => origin.eq(iata))
    .select(({ hour, origin, name, city, state, flights, average_delay, worst_delay }) => ({
      hour: hour.field('start'), origin, name, city, state, flights, average_delay, worst_delay,
    }))
}
