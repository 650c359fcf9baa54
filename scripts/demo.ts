import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import tls from 'node:tls';
import { describeEvent } from '../cli/history/describeEvent.ts';
import { historyFaults } from '../cli/history/verifyHistory.ts';
import { cellOf } from '../cli/output/cells.ts';
import { outputColumns } from '../cli/output/columns.ts';
import { renderTable } from '../cli/terminal/table.ts';
import { userToken } from '../local/accessTokens.ts';
import { type Cloud, startCloud, workByAppProcess } from '../local/cloud.ts';
import { type LocalDevice, startDevice } from '../local/device.ts';
import {
  type CommandResource,
  type Envelope,
  LiveResponseClient,
  type SessionResource,
} from '../sdk/index.ts';

/** The main job, for real, on this machine: a responder, the whole cloud in small, a device with its agent. */
const dataDir = join(import.meta.dirname, '..', '.local', `demo-${process.pid}`);
const width = process.stdout.isTTY ? process.stdout.columns : 140;
const started = performance.now();

const say = (text = ''): void => void process.stdout.write(`${text}\n`);
const step = (text: string): void =>
  say(`\n── ${text}  (${((performance.now() - started) / 1000).toFixed(1)} s)`);

const until = async <Value>(what: string, look: () => Promise<Value | undefined>): Promise<Value> => {
  for (const deadline = performance.now() + 30_000; performance.now() < deadline;) {
    const value = await look();
    if (value !== undefined) return value;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${what} did not happen within 30 s.`);
};

const check = (what: string, holds: boolean): void => {
  say(`   ${holds ? '✓' : '✗'} ${what}`);
  if (!holds) throw new Error(`This should hold and does not: ${what}`);
};

const main = async (cloud: Cloud, device: LocalDevice, client: LiveResponseClient): Promise<void> => {
  const transcript: CommandResource[] = [];
  let session: SessionResource = await client.openSession({
    deviceId: device.deviceId,
    reason: 'Demonstration',
  });
  session = await until('The connection', async () => {
    const seen = await client.session(session.sessionId);
    return seen.status === 'opening' ? undefined : seen;
  });
  const { sessionId } = session;
  check(`session ${sessionId} is connected to ${session.hostName}`, session.status === 'connected');

  const prompt = async (): Promise<string> =>
    `${session.hostName}:${(await client.session(sessionId)).directory}>`;
  const finish = async (command: CommandResource): Promise<readonly Record<string, unknown>[]> => {
    transcript.push(command);
    const output = await new Response(await client.output(sessionId, command.commandId)).text();
    const rows = output
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const columns = outputColumns(command.name, []);
    const shown = rows.slice(0, 6).map((row) => columns.map(({ name }) => cellOf(row[name]).slice(0, 60)));
    if (shown.length > 0) say(renderTable(columns, shown, width, (title) => title));
    if (rows.length > shown.length) say(`   … ${rows.length - shown.length} more rows`);
    say(`   ${command.state}${command.error === null ? '' : `: ${command.error.message}`}`);
    return rows;
  };
  const run = async (
    line: string,
  ): Promise<{ command: CommandResource; rows: readonly Record<string, unknown>[] }> => {
    say(`\n${await prompt()} ${line}`);
    const command = await client.runCommand(sessionId, line);
    return { command, rows: await finish(command) };
  };

  step('Looking around');
  const { rows: processes } = await run('processes');
  check(
    'the agent itself is among the processes',
    processes.some(({ pid }) => pid === device.pid()),
  );
  await run(`cd "${dataDir}"`);
  await run('dir');
  const { rows: facts } = await run('fileinfo evidence.bin');

  step('Taking a file');
  const original = createHash('sha256')
    .update(await readFile(join(dataDir, 'evidence.bin')))
    .digest('hex');
  check('fileinfo has the right SHA-256', facts[0]?.['sha256'] === original);
  const { command: collected } = await run('getfile evidence.bin');
  const [file] = collected.files;
  check('the file was collected', file !== undefined);
  const copy = join(dataDir, 'copy.bin');
  await client.download(await client.fileDownload(sessionId, file?.fileId ?? ''), copy);
  check(
    'the downloaded copy has the SHA-256 of the original',
    createHash('sha256')
      .update(await readFile(copy))
      .digest('hex') === original,
  );

  step('Working in the background');
  const line = 'fileinfo large.bin &';
  say(`${await prompt()} ${line}`);
  const background = await client.issueCommand(sessionId, line);
  await until('The start of the background command', async () =>
    (await client.command(sessionId, background.commandId)).startedAt === null ? undefined : true,
  );
  const { rows: jobs } = await run('jobs');
  check(
    'jobs lists it',
    jobs.some(({ commandId }) => commandId === background.commandId),
  );
  const { rows: status } = await run(`status ${background.commandId}`);
  check('status says that it runs', status[0]?.['state'] === 'Started');
  await run(`fg ${background.commandId}`);
  check('it is in the foreground now', (await client.session(sessionId)).foreground === background.commandId);

  step('Cancelling it');
  await client.cancelCommand(sessionId, background.commandId);
  const cancelled = await until('The end of the cancelled command', async () => {
    const seen = await client.command(sessionId, background.commandId);
    return seen.endedAt === null ? undefined : seen;
  });
  await finish(cancelled);
  check('it ended as cancelled, with its processes gone', cancelled.state === 'Cancelled');

  step('Disconnecting');
  const ended = await client.disconnect(sessionId);
  check('the session has ended', ended.status === 'ended');
  await until('The settled end', async () =>
    (await client.session(sessionId)).openCommands.length === 0 ? true : undefined,
  );

  step('Transcript');
  for (const command of transcript) {
    say(
      `   ${command.issuedAt}  ${command.state.padEnd(10)} ${(command.duration ?? 0).toFixed(3).padStart(8)} s  ${cellOf(command.line)}`,
    );
  }

  step('History');
  const { version } = await client.session(sessionId);
  const events: Envelope[] = [];
  for await (const event of client.recordedEvents(sessionId)) events.push(event);
  for (const event of events)
    say(
      `   ${String(event.version).padStart(3)}  ${event.type.padEnd(28)} ${describeEvent(event).slice(0, width - 38)}`,
    );
  check(
    `the hash chain of ${events.length} events holds`,
    historyFaults(sessionId, events, version).length === 0,
  );
  const work = await workByAppProcess(cloud);
  check(
    `two app processes did the work: ${work.join(' and ')} invocations`,
    work.length === 2 && Math.min(...work) > 0,
  );
};

/** Random bytes to take, and a large hole to hash for a long time. */
const plant = async (): Promise<void> => {
  await writeFile(join(dataDir, 'evidence.bin'), crypto.getRandomValues(new Uint8Array(48_000)));
  const large = await open(join(dataDir, 'large.bin'), 'w');
  await large.truncate(25 * 1024 ** 3);
  await large.close();
};

let cloud: Cloud | undefined;
let device: LocalDevice | undefined;
let exitCode = 0;
try {
  await mkdir(dataDir, { recursive: true });
  step('Starting the local cloud with two app processes');
  cloud = await startCloud({ dataDir, synchronous: 'NORMAL' });
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), await readFile(cloud.caFile, 'utf8')]);
  say(`   ${cloud.url}`);
  const administrator = new LiveResponseClient({ server: cloud.url, token: userToken(cloud, 'ana') });
  step('Enrolling this machine as a device');
  await plant();
  device = await startDevice(cloud, {
    stateDir: join(dataDir, 'device'),
    enrolmentToken: async () => (await administrator.createEnrolmentToken({ uses: 1 })).token,
  });
  say(`   device ${device.deviceId}, agent process ${device.pid()}`);
  step('Opening a session as a responder');
  await main(cloud, device, administrator);
  say(`\nAll of it held. ${((performance.now() - started) / 1000).toFixed(1)} s.`);
} catch (error) {
  exitCode = 1;
  process.stderr.write(
    `\nThe demonstration failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\nLogs: ${join(dataDir, 'run')}\n`,
  );
} finally {
  await device?.stop();
  await cloud?.stop();
  if (exitCode === 0) await rm(dataDir, { recursive: true, force: true });
}
process.exit(exitCode);
