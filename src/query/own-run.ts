/** Whose run the code that is running is a part of: a function of foreachBatch, of a source or of a step that waited for its own query would wait for ever. */
import { AsyncLocalStorage } from 'node:async_hooks'

export const ownRun = new AsyncLocalStorage<object>()
