import { basename } from 'node:path';
import type { LibraryFile, LiveResponseClient } from '../../sdk/index.ts';
import { type GlobalOptions, type JsonOption, openClient } from '../context.ts';
import { exitCodes } from '../exitCodes.ts';
import { readSignatures } from '../library/signatureFile.ts';
import { UnfinishedUpload } from '../library/unfinishedUpload.ts';
import { cellOf } from '../output/cells.ts';
import { shownInLine } from '../terminal/neutralise.ts';
import { withProgressBar } from '../terminal/progressBar.ts';
import { print, printJson, printTable } from '../terminal/screen.ts';
import { shownSize, shownTime } from '../terminal/units.ts';
import { localName } from './download.ts';

type LibraryOptions = GlobalOptions & JsonOption;

export interface AddOptions extends LibraryOptions {
  readonly name?: string;
  readonly description?: string;
  /** What a script's parameters are; given at all, it has some. */
  readonly parameters?: string;
  readonly signature?: readonly string[];
  readonly overwrite?: boolean;
}

/** Adds a file. The same command again after a failure goes on where the upload was cut. */
export const addToLibrary = async (path: string, options: AddOptions): Promise<number> => {
  const { client, selected } = await openClient(options);
  const { name = basename(path), description = '', parameters, overwrite = false } = options;
  const described = {
    name,
    description,
    hasParameters: parameters !== undefined,
    parametersDescription: parameters ?? '',
    overwrite,
    signatures: await readSignatures(options.signature ?? []),
  };
  const unfinished = await UnfinishedUpload.of(selected, path, described);
  const file = await unfinished.finish((idempotencyKey) =>
    withProgressBar(shownInLine(name), (onProgress) =>
      client.addLibraryFile(path, described, { idempotencyKey, onProgress }),
    ),
  );
  if (options.json) printJson(file);
  else print(`${shownInLine(file.name)} uploaded: ${shownFile(file)}.`);
  return exitCodes.completed;
};

const shownFile = ({ size, sha256, signature }: LibraryFile): string =>
  `${shownSize(size)}, SHA-256 ${shownInLine(sha256)}, ${shownSignature(signature)}`;

const shownSignature = ({ state, signer }: LibraryFile['signature']): string => {
  const by = signer === null ? '' : ` by ${shownInLine(signer.name)}`;
  switch (state) {
    case 'valid':
      return `signed${by}`;
    case 'untrusted':
      return `signed${by}, who is not trusted any more`;
    case 'invalid':
      return 'with a wrong signature';
    case 'unsigned':
      return 'not signed';
  }
};

/** One JSON object per file with `--json`. */
export const listLibrary = async (options: LibraryOptions): Promise<number> => {
  const { client } = await openClient(options);
  const files = await client.libraryFiles();
  if (options.json) {
    for (const file of files) printJson(file);
    return exitCodes.completed;
  }
  printTable(
    [
      { title: 'Name' },
      { title: 'Size', numeric: true },
      { title: 'Description' },
      { title: 'Parameters' },
      { title: 'Signature' },
      { title: 'Updated' },
      { title: 'By' },
    ],
    files.map((file) => [
      ...[file.name, file.size, file.description].map(cellOf),
      cellOf(file.hasParameters ? file.parametersDescription || 'yes' : ''),
      shownSignature(file.signature),
      ...[shownTime(file.updatedAt), file.updatedBy].map(cellOf),
    ]),
    'The library is empty. Add a file: lr library add FILE',
    options,
  );
  return exitCodes.completed;
};

export const showInLibrary = async (name: string, options: LibraryOptions): Promise<number> => {
  const { client } = await openClient(options);
  const file = await client.libraryFile(name);
  if (options.json) {
    printJson(file);
    return exitCodes.completed;
  }
  printTable(
    [{ title: 'Fact' }, { title: 'Value' }],
    [
      ['Name', cellOf(file.name)],
      ['Size', shownSize(file.size)],
      ['SHA-256', cellOf(file.sha256)],
      ['Description', cellOf(file.description)],
      ['Parameters', cellOf(file.hasParameters ? file.parametersDescription || 'yes' : 'none')],
      ['Signature', shownSignature(file.signature)],
      ['Updated', `${cellOf(shownTime(file.updatedAt))} by ${cellOf(file.updatedBy)}`],
    ],
    '',
    options,
  );
  return exitCodes.completed;
};

export interface GetOptions extends LibraryOptions {
  readonly output?: string;
  readonly overwrite?: boolean;
}

/** Downloads a file, and checks its hash. */
export const getFromLibrary = async (name: string, options: GetOptions): Promise<number> => {
  const { client } = await openClient(options);
  const { overwrite = false } = options;
  const grant = grantOf(client, name);
  const source = await grant();
  const path = options.output ?? localName(source.name, 'library-file');
  await withProgressBar(shownInLine(path), (onProgress) =>
    client.download(source, path, { overwrite, onProgress, renew: grant }),
  );
  const { size, sha256 } = source;
  if (options.json) printJson({ name: source.name, path, size, sha256 });
  else print(`${shownInLine(path)}: ${shownSize(size)}, SHA-256 ${shownInLine(sha256)} as in the library.`);
  return exitCodes.completed;
};

const grantOf = (client: LiveResponseClient, name: string) => async () => ({
  ...(await client.libraryDownload(name)),
  fileId: name,
  replaced: false,
});

export const deleteFromLibrary = async (name: string, options: LibraryOptions): Promise<number> => {
  const { client } = await openClient(options);
  const deleted = await client.deleteLibraryFile(name);
  if (options.json) printJson(deleted);
  else print(`${shownInLine(deleted.name)} is deleted. What ran or was placed before is in the history.`);
  return exitCodes.completed;
};
