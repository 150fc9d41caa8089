/** What SLURM's short words mean, where they leave a user wondering; the word itself stays, to search for. */
const MEANINGS: readonly (readonly [RegExp, string])[] = [
  [/^Resources$/, 'no node is free that has what it asks for'],
  [/^Priority$/, 'other jobs come first'],
  [/^(PartitionTimeLimit|TimeLimit)$/, 'its --time is more than the partition allows: it will never start'],
  [/^PartitionNodeLimit$/, 'it asks for more nodes than the partition allows: it will never start'],
  [/^(PartitionDown|PartitionInactive)$/, 'the partition is down'],
  [/^(BadConstraints|AccountNotAllowed|InvalidAccount|InvalidQOS|QOSNotAllowed)$/, 'it will not start as it is'],
  [/^ReqNodeNotAvail/, 'nodes that it needs are down, drained or reserved'],
  [/^(JobHeldUser|JobHeldAdmin)$/, 'it is held: scontrol release'],
  [/^(BeginTime|JobArrayTaskLimit|Dependency)$/, 'its own options make it wait'],
  [/^DependencyNeverSatisfied$/, 'its --dependency can no longer be met: it will never start'],
  [/^(Reservation|ReservationDeleted)$/, 'it waits for its reservation'],
  [/^Licenses$/, 'it waits for a licence'],
  [/^launch failed requeued held$/i, 'its start failed on the node; see the administrator'],
  [/^(QOS|Assoc).*(Limit|Max|Grp)/, 'a limit of your account or QOS is reached'],
  [/^(None|)$/, 'SLURM has not said why'],
]

/** A reason as people see it: `Resources (no node is free that has what it asks for)`. */
export function explainReason(reason: string): string {
  const word = reason.replace(/^\((.*)\)$/, '$1')
  const meaning = MEANINGS.find(([pattern]) => pattern.test(word))?.[1]
  if (word === '' || word === 'None') return meaning as string
  return meaning === undefined ? word : `${word} (${meaning})`
}
