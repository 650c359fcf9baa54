import { generateKeyPairSync } from 'node:crypto';
import { Journal } from '../../journal/journal.ts';
import { Reporter } from '../../journal/report.ts';

/** Ends commands and reports it, as fast as it can, until it is killed. Started by a test as a process of its own. */
const journal = new Journal(process.argv[2] ?? '');
journal.beginRun(`run-${process.pid}`, new Date().toISOString());
const { privateKey } = generateKeyPairSync('ed25519');
const reporter = new Reporter(
  journal,
  { tenantId: 't', deviceId: 'd', kid: 'k', privateKey },
  () => undefined,
);
const address = { sessionId: 's', epoch: 1, commandHash: 'h', receivedAt: '', startUntil: '' };
for (let number = 1; ; number += 1) {
  const commandId = `${process.pid}-${number}`;
  journal.receiveCommand({ ...address, commandId }, 'received', null);
  reporter.report('s', { kind: 'session.refused', body: { code: commandId, message: '' } }, () =>
    journal.markEnded(commandId, 'Completed'),
  );
  // One line per finished transaction: what was printed must have survived.
  process.stdout.write(`${commandId}\n`);
}
