/**
 * Events of `library-{tenantId}` and of `libraryUpload-{uploadId}`. Names and fields are stored data: never rename one, never
 * change a meaning.
 */

/** How signers sign. Stored data: never rename one. */
export const signatureAlgorithms = ['Ed25519', 'ECDSA-P256-SHA256'] as const;
export type SignatureAlgorithm = (typeof signatureAlgorithms)[number];

/** A detached signature as its maker hands it over: evidence/scriptSignature.ts says over what it is made. */
export interface DetachedSignature {
  readonly algorithm: SignatureAlgorithm;
  /** SHA-256, hex, of the signer's public key (SPKI, DER). */
  readonly keyId: string;
  /** Base64. Ed25519: 64 bytes. ECDSA: DER. */
  readonly value: string;
}

/** A signature that was right when the file was added. The key comes along, so that it can be checked again for ever. */
export interface FileSignature extends DetachedSignature {
  /** SPKI, DER, base64. */
  readonly publicKey: string;
  /** As the tenant's settings called the signer at that time. */
  readonly signerName: string;
}

/** What is known about a library file beside its content. */
export interface FileDescription {
  readonly description: string;
  readonly hasParameters: boolean;
  readonly parametersDescription: string;
}

export interface StoredFile extends FileDescription {
  readonly name: string;
  readonly size: number;
  /** SHA-256, hex, of the content. */
  readonly sha256: string;
  /** `container/name` of the content, which is named after its hash and never changes. */
  readonly blob: string;
  readonly signatures: readonly FileSignature[];
}

interface Addition extends StoredFile {
  /** Id of the request that brought it. */
  readonly requestId: string;
  readonly requestHash: string;
  readonly by: string;
  readonly byName: string;
  readonly at: string;
}

export type LibraryEvent =
  | { readonly type: 'LibraryFileAdded'; readonly data: Addition }
  | {
      readonly type: 'LibraryFileReplaced';
      readonly data: Addition & {
        /** The content before: erasing it later leaves the proof that it was there. */
        readonly replaced: { readonly name: string; readonly sha256: string };
      };
    }
  | {
      readonly type: 'LibraryFileDeleted';
      readonly data: {
        readonly name: string;
        readonly sha256: string;
        readonly requestId: string;
        readonly by: string;
        readonly byName: string;
        readonly at: string;
      };
    };

/** What an upload is going to be, as its ticket was asked for. */
export interface AnnouncedFile extends FileDescription {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
  readonly overwrite: boolean;
  readonly signatures: readonly DetachedSignature[];
}

export type LibraryUploadEvent =
  | {
      readonly type: 'LibraryUploadRequested';
      readonly data: AnnouncedFile & {
        readonly uploadId: string;
        readonly requestHash: string;
        readonly by: string;
        readonly byName: string;
        readonly at: string;
      };
    }
  | {
      /** The content is said to be there: from here on the ticket opens nothing, and the content is checked. */
      readonly type: 'LibraryUploadSubmitted';
      readonly data: { readonly uploadId: string; readonly by: string; readonly at: string };
    }
  | {
      /** The content is what was announced, and the library has it. */
      readonly type: 'LibraryUploadAccepted';
      readonly data: { readonly uploadId: string; readonly name: string; readonly at: string };
    }
  | {
      readonly type: 'LibraryUploadRefused';
      readonly data: {
        readonly uploadId: string;
        readonly code: string;
        readonly message: string;
        readonly at: string;
      };
    };
