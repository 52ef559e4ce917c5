/** The error that ends a query, or keeps it from starting; undefined where it ends well. */
export async function problemOf(starting: Promise<any>): Promise<{ code: string; message: string } | undefined> {
  const query = await starting.catch((error) => ({ awaitTermination: () => Promise.reject(error) }))
  return query.awaitTermination().then(
    () => undefined,
    (error: unknown) => error as { code: string; message: string },
  )
}
