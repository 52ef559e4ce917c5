/** One thing that a contract asks for. `run` rejects where it does not hold; a check that does not apply states why. */
export interface ConformanceCheck {
  readonly name: string
  readonly skip?: string
  run(): Promise<void>
}

/** The part of a test runner that a suite needs: vitest, node:test and others fit. */
export interface TestRunner {
  test(name: string, run: () => Promise<void>): unknown
  skip(name: string): unknown
}

/** Gives each check to a test runner; skipped ones with their reason in the name. */
export function runChecks(checks: readonly ConformanceCheck[], runner: TestRunner): void {
  for (const { name, skip, run } of checks) {
    if (skip === undefined) runner.test(name, run)
    else runner.skip(`${name} (skipped: ${skip})`)
  }
}

/** Builds a list of checks, each on a fresh fixture that is closed afterwards. A skip for a check that does not exist is an error. */
export function checksOf<Fixture extends { close?(): Promise<void> }>(
  bodies: Readonly<Record<string, (fixture: Fixture) => Promise<void>>>,
  make: () => Promise<Fixture>,
  skips: Readonly<Record<string, string>>,
): ConformanceCheck[] {
  const unknown = Object.keys(skips).find((name) => !(name in bodies))
  if (unknown !== undefined) throw new Error(`there is no check "${unknown}" to skip; the checks are: ${Object.keys(bodies).join('; ')}`)
  return Object.entries(bodies).map(([name, body]) => ({
    name,
    ...(skips[name] === undefined ? {} : { skip: skips[name] }),
    async run() {
      const fixture = await make()
      try {
        await body(fixture)
      } finally {
        await fixture.close?.()
      }
    },
  }))
}
