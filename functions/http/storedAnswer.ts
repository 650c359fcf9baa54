import { fileNameOf, keptOutputId } from '../../domain/catalogue/index.ts';
import { fixedLimits } from '../../domain/limits.ts';
import type { IssuedCommand, ServerAnswer } from '../../domain/session/index.ts';
import { sha256 } from '../../evidence/canonical.ts';
import type { Services } from '../services.ts';
import type { Answer } from './serverCommands.ts';

/**
 * Puts what a command that needs no device answered where its event can name it: a blob takes what is too long for the event, and
 * what the line keeps as a file. The blob is named after its content, so a second try stores nothing else.
 */
export const storedAnswer = async (
  { blobs }: Pick<Services, 'blobs'>,
  tenantId: string,
  sessionId: string,
  { commandId, redirect }: Pick<IssuedCommand, 'commandId' | 'redirect'>,
  { error, text, foreground }: Answer,
): Promise<ServerAnswer> => {
  const content = { size: Buffer.byteLength(text), sha256: sha256(text) };
  const isKept = redirect !== null && error === null;
  const isInline = content.size <= fixedLimits.inlineOutput;
  const stored =
    isKept || !isInline
      ? await blobs.storeAnswer(tenantId, sessionId, commandId, text, content.sha256)
      : null;
  return {
    error,
    output:
      content.size === 0
        ? null
        : { ...content, inline: isInline ? text : null, blob: isInline ? null : (stored?.blob ?? null) },
    file:
      isKept && stored !== null
        ? {
            fileId: keptOutputId(commandId),
            name: fileNameOf(redirect),
            path: { text: redirect },
            ...content,
            ...stored,
          }
        : null,
    foreground,
  };
};
