import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FrameMemory, frameJoiner } from './frame-memory.ts'

function frameOf(bytes: number, letter: number): Buffer {
  const frame = Buffer.alloc(4 + bytes, letter)
  frame.writeInt32BE(bytes)
  return frame
}

test('frames come out as they went in, however they were cut, and memory that was given back is used again', () => {
  const lengths = fc.array(fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1000, max: 9000 })), { minLength: 1, maxLength: 20 })
  const cuts = fc.infiniteStream(fc.oneof(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 500, max: 4000 })))
  fc.assert(
    fc.property(lengths, cuts, fc.infiniteStream(fc.boolean()), fc.boolean(), (sizes, pieces, givesBack, copies) => {
      const frames = sizes.map((size, i) => frameOf(size, 65 + i))
      const memory = new FrameMemory()
      const kept: Buffer[] = []
      let count = 0
      const join = frameJoiner(
        (frame) => {
          expect(frame.equals(frames[count]!)).toBe(true)
          count++
          memory.share([frame])
          if (givesBack.next().value) memory.give(frame)
          else kept.push(Buffer.from(frame), frame)
        },
        memory,
        { copies },
      )
      const reused = Buffer.alloc(4000)
      const all = Buffer.concat(frames)
      for (let at = 0; at < all.length; ) {
        const bytes = pieces.next().value!
        const piece = all.subarray(at, at + bytes)
        piece.copy(reused)
        join(copies ? reused.subarray(0, piece.length) : Buffer.from(piece))
        at += bytes
      }
      expect(count).toBe(frames.length)
      // what was not given back stays as it was
      for (let i = 0; i < kept.length; i += 2) expect(kept[i + 1]!.equals(kept[i]!)).toBe(true)
    }),
  )
})

test('memory comes back when all parts of an answer have', () => {
  const memory = new FrameMemory()
  const first = memory.take(1000)
  const parts = [first.subarray(0, 400), first.subarray(400)]
  memory.share(parts)
  memory.give(parts[0]!)
  expect(memory.take(1000).buffer).not.toBe(first.buffer)
  memory.give(parts[1]!)
  expect(first[400]).toBe(0xa5)
  expect(memory.take(900).buffer).toBe(first.buffer)
  // far too large for what is asked, or not of this memory
  memory.give(Buffer.alloc(10))
  const large = memory.take(8 << 20)
  memory.share([large])
  memory.give(large)
  expect(memory.take(1000).buffer).not.toBe(large.buffer)
  expect(memory.take(8 << 20).buffer).toBe(large.buffer)
})

test('a part given back twice frees nothing that others have', () => {
  const memory = new FrameMemory()
  const first = memory.take(1000)
  const [one, two] = [first.subarray(0, 400), first.subarray(400)]
  memory.share([one, two])
  memory.give(one)
  memory.give(one)
  expect(memory.take(1000).buffer).not.toBe(first.buffer)
  memory.give(two)
  const next = memory.take(1000)
  memory.share([next])
  expect(next.buffer).toBe(first.buffer)
  next.fill(7)
  memory.give(one)
  memory.give(two)
  expect(next.every((byte) => byte === 7)).toBe(true)
})

test('a size that is none is left to who listens', () => {
  const passed: Buffer[] = []
  const join = frameJoiner((frame) => passed.push(Buffer.from(frame)), new FrameMemory())
  const bad = Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 2])
  join(bad.subarray(0, 2))
  join(bad.subarray(2))
  join(Buffer.from([3]))
  expect(Buffer.concat(passed)).toEqual(Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 2, 3]))
})
