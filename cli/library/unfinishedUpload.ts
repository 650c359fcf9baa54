import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalForm, sha256 } from '../../evidence/canonical.ts';
import { ApiError, UploadError } from '../../sdk/index.ts';
import { sizeAndHashOf } from '../../sdk/upload.ts';
import type { SelectedProfile } from '../config/selectedProfile.ts';
import { writePrivately } from '../config/writePrivately.ts';

/**
 * Remembers the id of an upload until it has ended, so that the same command given again goes on with it. What is the same: server,
 * tenant, content, and everything said about it.
 */
export class UnfinishedUpload {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  static async of(
    { profile, folder }: SelectedProfile,
    path: string,
    described: object,
  ): Promise<UnfinishedUpload> {
    const { server, tenant, clientId } = profile;
    const what = canonicalForm({ server, tenant, clientId, described, ...(await sizeAndHashOf(path)) });
    const uploads = join(folder, 'uploads');
    await mkdir(uploads, { recursive: true, mode: 0o700 });
    return new UnfinishedUpload(join(uploads, sha256(what)));
  }

  /** `work` gets the id. It is forgotten when the server has said how the upload ended. */
  async finish<Result>(work: (uploadId: string) => Promise<Result>): Promise<Result> {
    const uploadId = (await this.#known()) ?? crypto.randomUUID();
    await writePrivately(this.#path, uploadId);
    try {
      const result = await work(uploadId);
      await rm(this.#path, { force: true });
      return result;
    } catch (error) {
      const hasEnded = error instanceof UploadError || (error instanceof ApiError && error.status < 500);
      if (hasEnded) await rm(this.#path, { force: true });
      throw error;
    }
  }

  async #known(): Promise<string | undefined> {
    try {
      const text = await readFile(this.#path, 'utf8');
      return /^[0-9a-f-]{36}$/.test(text) ? text : undefined;
    } catch {
      return undefined;
    }
  }
}
