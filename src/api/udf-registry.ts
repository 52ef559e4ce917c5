import { InvalidQueryError } from '../base/errors.ts'
import type { UserFunction } from '../data/user-function.ts'
import { findFunction } from '../plan/functions.ts'
import type { JsInput, TypeToken } from './types.ts'
import { type NullSkippingFunction, type UdfOptions, type UserDefinedFunction, udf, userFunctionOf } from './user-functions.ts'

/** `engine.udf`: functions of the program by name, for expr, selectExpr, conditions as text and SQL. */
export class UdfRegistry {
  readonly #functions: Map<string, UserFunction>
  constructor(functions: Map<string, UserFunction>) {
    this.#functions = functions
  }

  /**
   * Makes a function known under a name, in any case, to what is written from now on; a name that is registered again is replaced. Takes a
   * function with its return type, as udf does, or one that udf or column_udf made; gives the function over columns.
   */
  register<F extends UserDefinedFunction<any, any> | NullSkippingFunction<any, any>>(name: string, f: F): F
  register<A extends readonly any[], R>(
    name: string,
    f: (...args: A) => JsInput<NoInfer<R>> | Promise<JsInput<NoInfer<R>>>,
    returnType: TypeToken<R>,
    options?: UdfOptions,
  ): UserDefinedFunction<A, R>
  register(name: string, f: unknown, returnType?: TypeToken<unknown>, options?: UdfOptions): unknown {
    checkName(name)
    const call = returnType === undefined ? f : udf(f as (...args: never[]) => never, returnType as TypeToken<never>, { name, ...options })
    const made = userFunctionOf(call)
    if (!made)
      throw new InvalidQueryError('INVALID_UDF', {
        what: `udf.register("${name}") was given a value of type ${typeof f} without a return type`,
        todo: "write register('cents', (price: number) => Math.round(price * 100), t.int()), or give what udf(…) made",
      })
    this.#functions.set(name.toLowerCase(), { ...made, name })
    return call
  }
  /** Forgets a function; says whether there was one. DataFrames made with it keep it. */
  unregister(name: string): boolean {
    return this.#functions.delete(name.toLowerCase())
  }
}

function checkName(name: string): void {
  if (typeof name !== 'string' || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    throw new InvalidQueryError('INVALID_UDF', {
      what: `${JSON.stringify(name)} is no name for a function`,
      todo: 'use letters, digits and _, and no digit first',
    })
  if (findFunction(name))
    throw new InvalidQueryError('ROUTINE_ALREADY_EXISTS', {
      what: `there is a function \`${name.toLowerCase()}\` already, of Spark's own`,
      todo: 'choose another name: a query should mean the same whoever registered what',
    })
}
