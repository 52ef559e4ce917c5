// The same tests over the other provider.
process.env['MILLRACE_TEST_STATE'] = 'rocksdb'
await import('./snapshot-rounds.test.ts')
