import * as z from 'zod';
import type { ScheduledTask } from '../listed.ts';
import { powershellRows } from './powershell.ts';

const script = `
$scheduler = New-Object -ComObject Schedule.Service
$scheduler.Connect()
$never = [datetime]'1999-12-30'
$folders = New-Object System.Collections.Queue
$folders.Enqueue($scheduler.GetFolder('\\'))
while ($folders.Count -gt 0) {
  $folder = $folders.Dequeue()
  foreach ($below in $folder.GetFolders(0)) { $folders.Enqueue($below) }
  foreach ($task in $folder.GetTasks(1)) {
    if ($values.name -and $task.Path.TrimStart('\\') -ne $values.name.TrimStart('\\') -and $task.Name -ne $values.name) { continue }
    $definition = $task.Definition
    $principal = $definition.Principal
    $triggers = @(foreach ($t in $definition.Triggers) {
      @{ type = [int]$t.Type; start = (Text $t.StartBoundary); every = (Text $t.Repetition.Interval); enabled = [bool]$t.Enabled }
    })
    $actions = @(foreach ($a in $definition.Actions) {
      if ($a.Type -eq 0) { @{ type = 0; text = ((Text $a.Path) + ' ' + (Text $a.Arguments)).Trim() } }
      elseif ($a.Type -eq 5) { @{ type = 5; text = ((Text $a.ClassId) + ' ' + (Text $a.Data)).Trim() } }
      else { @{ type = [int]$a.Type; text = $null } }
    })
    Row @{
      path = $task.Path; enabled = [bool]$task.Enabled; state = [int]$task.State
      lastRunAt = $(if ($task.LastRunTime -gt $never) { Iso $task.LastRunTime } else { $null })
      nextRunAt = $(if ($task.NextRunTime -gt $never) { Iso $task.NextRunTime } else { $null })
      user = $(if ($principal.UserId) { $principal.UserId } else { Text $principal.GroupId })
      triggers = $triggers; actions = $actions
    }
  }
}
`;

const states: Readonly<Record<number, string>> = {
  0: 'unknown',
  1: 'disabled',
  2: 'queued',
  3: 'ready',
  4: 'running',
};

/** Types of triggers as the Task Scheduler numbers them. */
const triggerNames: Readonly<Record<number, string>> = {
  0: 'on an event',
  1: 'once',
  2: 'daily',
  3: 'weekly',
  4: 'monthly',
  5: 'monthly by day of the week',
  6: 'when idle',
  7: 'when registered',
  8: 'at start-up',
  9: 'at sign-in',
  11: 'on a change of session',
  12: 'custom',
};

const actionNames: Readonly<Record<number, string>> = { 5: 'COM', 6: 'e-mail', 7: 'message' };

const known = (names: Readonly<Record<number, string>>) =>
  z.int().refine((number) => number === 0 || number in names, 'not documented');

export const taskRow = z.strictObject({
  path: z.string(),
  enabled: z.boolean(),
  state: known(states),
  lastRunAt: z.iso.datetime({ precision: 7 }).nullable(),
  nextRunAt: z.iso.datetime({ precision: 7 }).nullable(),
  user: z.string().nullable(),
  triggers: z.array(
    z.strictObject({
      type: known(triggerNames),
      start: z.string().nullable(),
      every: z.string().nullable(),
      enabled: z.boolean(),
    }),
  ),
  actions: z.array(z.strictObject({ type: known(actionNames), text: z.string().nullable() })),
});
type TaskRow = z.infer<typeof taskRow>;

const triggerText = ({ type, start, every, enabled }: TaskRow['triggers'][number]): string =>
  [
    triggerNames[type],
    ...(start === null || start === '' ? [] : [`from ${start}`]),
    ...(every === null || every === '' ? [] : [`every ${every}`]),
    ...(enabled ? [] : ['(off)']),
  ].join(' ');

const actionText = ({ type, text }: TaskRow['actions'][number]): string =>
  [...(type === 0 ? [] : [actionNames[type]]), ...(text === null ? [] : [text])].join(' ');

export const taskOf = (row: TaskRow): ScheduledTask => ({
  kind: 'Task Scheduler',
  name: row.path.replace(/^\\/, ''),
  enabled: row.enabled,
  state: states[row.state] ?? null,
  schedule: row.triggers.map(triggerText).join('; '),
  lastRunAt: row.lastRunAt,
  nextRunAt: row.nextRunAt,
  user: row.user,
  command: row.actions.map(actionText).join('; '),
  path: row.path,
});

/** Tasks of all folders, hidden ones too; `name` with its folder or alone, in any case of letters. */
export async function* windowsTasks(name: string | null): AsyncGenerator<ScheduledTask> {
  for await (const row of powershellRows(taskRow, script, { name })) yield taskOf(row);
}
