import type { LiveResponseClient } from '../../sdk/index.ts';
import { type GlobalOptions, type JsonOption, openClient } from '../context.ts';
import { exitCodes } from '../exitCodes.ts';
import { shownInLine } from '../terminal/neutralise.ts';
import { withProgressBar } from '../terminal/progressBar.ts';
import { print, printJson } from '../terminal/screen.ts';
import { shownSize } from '../terminal/units.ts';

export interface DownloadOptions extends GlobalOptions, JsonOption {
  readonly output?: string;
  readonly overwrite?: boolean;
}

export const download = async (
  sessionId: string,
  fileId: string,
  options: DownloadOptions,
): Promise<number> => {
  const { client } = await openClient(options);
  const { output, overwrite = false } = options;
  const file = await downloadFile(client, sessionId, fileId, { output, overwrite });
  if (options.json) printJson({ fileId, ...file });
  else print(`${file.path}: ${shownSize(file.size)}, SHA-256 ${file.sha256} as collected.`);
  return exitCodes.completed;
};

export interface TransferOptions {
  readonly output?: string | undefined;
  readonly overwrite: boolean;
  readonly signal?: AbortSignal;
}

/** Downloads with progress on a terminal. Without `output` the file gets its own name, in the current folder. */
export const downloadFile = async (
  client: LiveResponseClient,
  sessionId: string,
  fileId: string,
  { output, overwrite, signal }: TransferOptions,
): Promise<{ readonly path: string; readonly size: number; readonly sha256: string }> => {
  const grant = () => client.fileDownload(sessionId, fileId);
  const source = await grant();
  const path = output ?? localName(source.name, fileId);
  await withProgressBar(shownInLine(path), (onProgress) =>
    client.download(source, path, { overwrite, signal, onProgress, renew: grant }),
  );
  return { path, size: source.size, sha256: source.sha256 };
};

/** The name comes from the device: only its last part counts, and nothing in it may lead elsewhere or hide. */
export const localName = (name: string, fileId: string): string => {
  const last = name.split(/[/\\]/).at(-1) ?? '';
  const safe = shownInLine(last)
    .replace(/[<>:"|?*]/g, '_')
    .replace(/^[.\s-]+/, '')
    .replace(/[.\s]+$/, '')
    .slice(0, 150);
  const isReserved = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(safe);
  return safe === '' || isReserved ? `file-${fileId.replace(/[^A-Za-z0-9-]/g, '_')}` : safe;
};
