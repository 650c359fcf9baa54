import { posix } from 'node:path';
import { shownOf } from '../../commands/text.ts';
import { hashOf } from '../hashOf.ts';
import type { PersistenceEntry } from '../listed.ts';
import { programOf } from './shellWords.ts';
import type { SystemTree } from './systemTree.ts';

const searched = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

type Target = Pick<PersistenceEntry, 'target' | 'sha256'>;

/** Finds what commands lead to and hashes it, each file once: many entries lead to the same few programs. */
export class Targets {
  readonly #tree: SystemTree;
  readonly #hashes = new Map<string, string | null>();

  constructor(tree: SystemTree) {
    this.#tree = tree;
  }

  /** The file of the program that a command line starts; null where it cannot be told. */
  ofCommand(command: string): Promise<Target> {
    const program = programOf(command);
    if (program === undefined) return Promise.resolve({ target: null, sha256: null });
    if (program.startsWith('/')) return this.ofFile(program);
    const found = program.includes('/')
      ? undefined
      : searched.map((folder) => posix.join(folder, program)).find((path) => this.#tree.isProgram(path));
    return found === undefined ? Promise.resolve({ target: null, sha256: null }) : this.ofFile(found);
  }

  async ofFile(path: string): Promise<Target> {
    const known = this.#hashes.get(path);
    const sha256 = known === undefined ? await hashOf(this.#tree.bytesOf(path)) : known;
    this.#hashes.set(path, sha256);
    return { target: shownOf(path), sha256 };
  }
}
