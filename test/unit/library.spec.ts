import { describe, expect, it } from 'vitest';
import { limitsOfOneAppend } from '../../domain/eventStore.ts';
import {
  type LibraryCommand,
  type LibraryEvent,
  type LibraryUploadEvent,
  library,
  libraryUpload,
  longestFileName,
  mostLibraryFiles,
  refuseFileName,
} from '../../domain/library/index.ts';
import { refusalOf, specification } from '../support/given.ts';

const { given } = specification(library);
const at = '2026-11-24T09:30:00.000Z';
const sha256 = 'a'.repeat(64);

type Addition = Extract<LibraryCommand, { type: 'AddFile' }>;
const add = (more: Partial<Addition> = {}): Addition => ({
  type: 'AddFile',
  name: 'triage.sh',
  size: 12,
  sha256,
  blob: `library/files/t/${sha256}`,
  description: 'First look',
  hasParameters: false,
  parametersDescription: '',
  signatures: [],
  overwrite: false,
  requestId: 'r1',
  requestHash: 'h1',
  by: 'ana',
  byName: 'Ana',
  largestFile: 250 * 1024 ** 2,
  now: at,
  ...more,
});
const added = (more: Partial<Addition> = {}): LibraryEvent => {
  const { type: _, overwrite: _o, largestFile: _l, now, ...data } = add(more);
  return { type: 'LibraryFileAdded', data: { ...data, at: now } };
};
const remove = (name: string, requestId = 'r9') =>
  ({ type: 'DeleteFile', name, requestId, by: 'ana', byName: 'Ana', now: at }) as const;

describe('the library', () => {
  it('takes a file with all that is known about it', () => given().when(add()).then(added()));

  it('replaces a file only when asked to, and says what was there', () => {
    const other = { requestId: 'r2', requestHash: 'h2', sha256: 'b'.repeat(64) };
    const refusal = given(added()).when(add(other)).thenRefuses('LIBRARY_FILE_EXISTS');
    expect(refusal?.details).toMatchObject({ name: 'triage.sh', sha256 });
    const [event] = given(added())
      .when(add({ ...other, overwrite: true }))
      .events();
    expect(event).toMatchObject({
      type: 'LibraryFileReplaced',
      data: { sha256: other.sha256, replaced: { name: 'triage.sh', sha256 } },
    });
  });

  it('knows names whatever their case, and has each once', () => {
    given(added())
      .when(add({ name: 'TRIAGE.sh', requestId: 'r2' }))
      .thenRefuses('LIBRARY_FILE_EXISTS');
    const state = given(added())
      .when(add({ name: 'TRIAGE.sh', requestId: 'r2', overwrite: true }))
      .state();
    expect(state.files.map(({ name }) => name)).toEqual(['TRIAGE.sh']);
    given(added()).when(remove('Triage.SH')).thenTypes('LibraryFileDeleted');
  });

  it('does nothing for a request that it has seen, and refuses its key for another one', () => {
    given(added()).when(add()).thenNothing();
    given(added())
      .when(add({ requestHash: 'h2' }))
      .thenRefuses('IDEMPOTENCY_MISMATCH');
    given(added()).when(remove('triage.sh', 'r1')).thenRefuses('IDEMPOTENCY_MISMATCH');
    const [deleted] = given(added()).when(remove('triage.sh')).events();
    if (deleted === undefined) throw new Error('Nothing was deleted.');
    given(added(), deleted).when(remove('triage.sh')).thenNothing();
    given(added(), deleted).when(remove('triage.sh', 'r10')).thenRefuses('LIBRARY_FILE_UNKNOWN');
    given(added(), deleted)
      .when(add({ requestId: 'r11' }))
      .thenTypes('LibraryFileAdded');
  });

  it('refuses what is too large, too long or too much', () => {
    given()
      .when(add({ size: 11, largestFile: 10 }))
      .thenRefuses('LIBRARY_FILE_TOO_LARGE');
    given()
      .when(add({ size: 10, largestFile: 10 }))
      .thenTypes('LibraryFileAdded');
    given()
      .when(add({ description: 'x'.repeat(501) }))
      .thenRefuses('LIBRARY_DESCRIPTION_INVALID');
    const signature = {
      algorithm: 'Ed25519',
      keyId: 'k',
      value: 'v',
      publicKey: 'p',
      signerName: 's',
    } as const;
    given()
      .when(add({ signatures: Array.from({ length: 5 }, () => signature) }))
      .thenRefuses('LIBRARY_DESCRIPTION_INVALID');
  });

  it('is full at 1,000 files with the longest names, and its head still fits', () => {
    const named = (index: number): LibraryEvent =>
      added({
        name: `${'n'.repeat(longestFileName - 4)}${String(index).padStart(4, '0')}`,
        size: 262_144_000,
        requestId: crypto.randomUUID(),
        requestHash: sha256,
      });
    const full = given(...Array.from({ length: mostLibraryFiles }, (_, index) => named(index)));
    expect(Buffer.byteLength(JSON.stringify(full.state()))).toBeLessThan(limitsOfOneAppend.headBytes - 4_096);
    full.when(add({ name: 'one-more.sh', requestId: 'r2' })).thenRefuses('LIBRARY_FULL');
    const replaced = { name: `${'n'.repeat(longestFileName - 4)}0000`, requestId: 'r2', overwrite: true };
    full.when(add(replaced)).thenTypes('LibraryFileReplaced');
  });
});

describe('the name of a library file', () => {
  it.each([
    'a',
    'triage.sh',
    'Get-It_2.ps1',
    '.profile',
    '..config',
    '1',
    'console.log',
    '_',
    'a'.repeat(100),
  ])('may be %s', (name) => expect(refusalOf(() => refuseFileName(name))).toBeUndefined());
  it.each([
    ...['', '.', '..', '../a', 'a/b', 'a\\b', 'C:a', 'a b', '-a', 'a.', 'a\n', 'a\0', 'ä.sh', 'a%2fb'],
    ...['con', 'NUL.txt', 'com1', 'Lpt9.ps1', '~a', 'a:b', 'a*', 'a"', 'a\u202eb', 'a'.repeat(101)],
  ])('may not be %j', (name) =>
    expect(refusalOf(() => refuseFileName(name))?.code).toBe('LIBRARY_NAME_INVALID'),
  );
});

describe('an upload by ticket', () => {
  const upload = specification(libraryUpload);
  const request = {
    uploadId: 'u1',
    name: 'triage.sh',
    size: 12,
    sha256,
    overwrite: false,
    description: '',
    hasParameters: false,
    parametersDescription: '',
    signatures: [],
    requestHash: 'h1',
    by: 'ana',
    byName: 'Ana',
  };
  const requested: LibraryUploadEvent = { type: 'LibraryUploadRequested', data: { ...request, at } };
  const submitted: LibraryUploadEvent = {
    type: 'LibraryUploadSubmitted',
    data: { uploadId: 'u1', by: 'ana', at },
  };
  const accepted: LibraryUploadEvent = {
    type: 'LibraryUploadAccepted',
    data: { uploadId: 'u1', name: 'triage.sh', at },
  };
  const submit = { type: 'SubmitUpload', by: 'ana', now: at } as const;
  const accept = { type: 'AcceptUpload', now: at } as const;
  const refuse = { type: 'RefuseUpload', code: 'CONTENT_MISMATCH', message: 'no', now: at } as const;

  it('is asked for, submitted, and accepted or refused, each once', () => {
    upload
      .given()
      .when({ type: 'RequestUpload', ...request, now: at })
      .then(requested);
    upload.given(requested).when(submit).then(submitted);
    upload.given(requested, submitted).when(accept).then(accepted);
    upload.given(requested, submitted).when(refuse).thenTypes('LibraryUploadRefused');
    upload.given(requested, submitted).when(submit).thenNothing();
    for (const command of [submit, accept, refuse])
      upload.given(requested, submitted, accepted).when(command).thenNothing();
  });

  it('cannot be accepted before it is submitted, nor submitted before it is asked for', () => {
    upload.given(requested).when(accept).thenNothing();
    upload.given().when(submit).thenRefuses('UPLOAD_UNKNOWN');
  });

  it('is the same upload when asked for again, and refuses its key for another one', () => {
    const again = { type: 'RequestUpload', ...request, now: at } as const;
    upload.given(requested, submitted).when(again).thenNothing();
    upload
      .given(requested)
      .when({ ...again, requestHash: 'h2' })
      .thenRefuses('IDEMPOTENCY_MISMATCH');
  });
});
