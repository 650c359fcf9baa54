import * as z from 'zod';
import { text } from '../../contracts/device.ts';

/**
 * The members of session events that this client acts on. Members it does not know are left alone, so that a newer
 * server does not break it.
 */
export const eventShapes = {
  SessionConnected: z.object({
    agentVersion: z.string(),
    platform: z.string(),
    hostName: z.string(),
    capabilities: z.array(z.string()),
    directory: z.string(),
  }),
  CommandIssued: z.object({
    commandId: z.string(),
    line: z.string(),
    name: z.string(),
    flags: z.array(z.string()),
    output: z.enum(['table', 'json']),
    background: z.boolean(),
  }),
  CommandOutputRecorded: z.object({
    commandId: z.string(),
    stream: z.enum(['result', 'stdout', 'stderr']),
    offset: z.number().int(),
    size: z.number().int(),
    sha256: z.string(),
    inline: text.nullable(),
  }),
  FileCollected: z.object({
    commandId: z.string(),
    fileId: z.string(),
    name: z.string(),
    size: z.number(),
    sha256: z.string(),
  }),
  ended: z.object({
    commandId: z.string(),
    exitCode: z.number().nullable(),
    duration: z.number(),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    directory: z.string().nullable(),
  }),
  CommandLost: z.object({ commandId: z.string(), reason: z.string(), message: z.string() }),
  aboutCommand: z.object({ commandId: z.string() }),
} as const;

export type OutputPart = z.infer<typeof eventShapes.CommandOutputRecorded>;
export type OutputStream = OutputPart['stream'];
