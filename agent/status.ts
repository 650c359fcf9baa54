import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Journal } from './journal/journal.ts';
import { readAgentSettings } from './settings/agentSettings.ts';
import { lockService } from './settings/serviceLock.ts';
import { agentVersion } from './version.ts';

/** What the agent on this state directory is and does, as JSON. */
export const status = (stateDirectory: string): unknown => {
  const settings = readAgentSettings(stateDirectory);
  if (settings === undefined) return { agentVersion, enrolled: false };
  const lock = lockService(stateDirectory);
  lock?.release();
  const { server, tenantId, deviceId, keySetTrusted } = settings;
  const known = { agentVersion, enrolled: true, server, tenantId, deviceId, keySet: keySetTrusted.version };
  if (!existsSync(join(stateDirectory, 'journal.db'))) return { ...known, running: lock === undefined };
  const journal = new Journal(stateDirectory);
  try {
    return {
      ...known,
      running: lock === undefined,
      openSessions: journal
        .openSessions()
        .map(({ sessionId, epoch, state }) => ({ sessionId, epoch, state })),
      openCommands: journal.openCommands().map(({ commandId, state }) => ({ commandId, state })),
      unsentMessages: journal.spooledCount(),
    };
  } finally {
    journal.close();
  }
};
