import { InvalidQueryError } from '../base/errors.ts'
import { explainLogical } from '../plan/explain.ts'
import type { LogicalPlan, OutputMode } from '../plan/logical-plan.ts'
import { optimize } from '../plan/rules.ts'

/** How much explain prints: the physical plan only (simple), or the analysed and the optimised logical plan before it. */
export type ExplainMode = 'simple' | 'extended' | 'formatted' | 'cost'

/** The plans as text. An output mode in place of a mode says how the physical plan of a stream is made, and prints the logical one too. */
export function explainText(plan: LogicalPlan, mode: ExplainMode | OutputMode, physical: (outputMode: OutputMode) => string): string {
  switch (mode) {
    case 'append':
    case 'update':
    case 'complete':
      return `== Logical Plan ==\n${explainLogical(plan)}\n== Physical Plan ==\n${physical(mode)}`
    case 'simple':
      return `== Physical Plan ==\n${physical('append')}`
    case 'extended':
    case 'formatted':
    case 'cost':
      return `== Analyzed Logical Plan ==\n${explainLogical(plan)}\n== Optimized Logical Plan ==\n${explainLogical(optimize(plan))}\n== Physical Plan ==\n${physical('append')}`
    default:
      throw new InvalidQueryError('INVALID_EXPLAIN_MODE', {
        what: `there is no explain mode ${JSON.stringify(mode)}`,
        todo: "use 'simple', 'extended', 'formatted' or 'cost' ('codegen' is for Java), or an output mode",
      })
  }
}
