import * as z from 'zod';
import { keySet } from '../../contracts/device.ts';
import { readStateFile, writeStateFile } from './stateDirectory.ts';

const fileName = 'agent.json';

const agentSettings = z.strictObject({
  /** Base address of the backend, without `/api`. */
  server: z.url(),
  tenantId: z.string().min(1),
  deviceId: z.string().min(1),
  kid: z.string().min(1),
  caFile: z.string().nullable(),
  /** The newest key set that this device trusts; commands must be signed by a key of it. */
  keySetTrusted: keySet,
});
export type AgentSettings = Readonly<z.infer<typeof agentSettings>>;

/** Undefined when this device is not enrolled. */
export const readAgentSettings = (stateDirectory: string): AgentSettings | undefined => {
  const content = readStateFile(stateDirectory, fileName);
  if (content === undefined) return undefined;
  const parsed = agentSettings.safeParse(content);
  if (!parsed.success) {
    throw new Error(
      `${stateDirectory}/${fileName} does not fit: ${z.prettifyError(parsed.error)}. Remove it and enrol again: the device stays the same.`,
    );
  }
  return parsed.data;
};

export const requireAgentSettings = (stateDirectory: string): AgentSettings => {
  const settings = readAgentSettings(stateDirectory);
  if (settings === undefined) {
    throw new Error(`This device is not enrolled (no ${fileName} in ${stateDirectory}). Run 'enrol' first.`);
  }
  return settings;
};

export const writeAgentSettings = (stateDirectory: string, settings: AgentSettings): void =>
  writeStateFile(stateDirectory, fileName, settings);
