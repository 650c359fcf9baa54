import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Content of a file; an array is where a link points; with a mode where that matters. */
type Planted =
  string | Buffer | readonly [target: string] | { readonly content: string; readonly mode: number };

/** Makes the files of a small system below a folder. */
export const plantTree = async (root: string, files: Readonly<Record<string, Planted>>): Promise<void> => {
  for (const [path, planted] of Object.entries(files)) {
    const place = join(root, path);
    await mkdir(dirname(place), { recursive: true });
    if (typeof planted === 'string' || Buffer.isBuffer(planted)) await writeFile(place, planted);
    else if ('content' in planted) {
      await writeFile(place, planted.content);
      await chmod(place, planted.mode);
    } else await symlink(planted[0], place);
  }
};
