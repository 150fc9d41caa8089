type Environment = Readonly<Record<string, string | undefined>>

/** The environment for workers, programs and jobs: without the database of the run, whose password only the coordinator needs. */
export function inheritedEnvironment({
  BELLIS_DB: _,
  BELLIS_NOTIFY: __,
  ...others
}: Environment): Record<string, string | undefined> {
  return others
}
