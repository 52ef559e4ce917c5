// What `import 'millrace'` loads from the package: one plain line on an old Node, the library on any other.
import './check-node.ts'

export * from './index.ts'
