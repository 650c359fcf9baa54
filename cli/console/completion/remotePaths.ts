import { posix, win32 } from 'node:path';
import { catalogue, parseCommand, quoteValue, type TypedValue } from '../../../domain/catalogue/index.ts';
import { JsonLines, type Row, rowOf } from '../../output/jsonLines.ts';
import type { OutputWriter } from '../../output/outputWriter.ts';
import type { TrackedCommand } from '../../session/trackedCommand.ts';
import { shownInLine } from '../../terminal/neutralise.ts';
import type { SourceAnswer, ValueCandidate } from './valueSource.ts';

/** Enough for any session of a person; beyond it the oldest directories are forgotten. */
const mostNames = 50_000;

interface Directory {
  readonly path: string;
  /** True means a directory, or a link that may lead to one. */
  readonly names: Map<string, boolean>;
  /** All of it was listed. */
  isWhole: boolean;
}

export interface RemotePathsOptions {
  readonly platform: string;
  /** The session's working directory now. */
  readonly directory: () => string;
  /** Lists a directory on the device with this line; what comes of it must go through `watch`. */
  readonly list: (line: string) => Promise<void>;
}

/**
 * The paths of a device, as far as this session's output has shown them. Completing costs the device nothing and leaves
 * nothing in the history: only when asked for does it list a directory, with an ordinary `dir` that is recorded like
 * everything else that is done on a device, in the background so that the responder's own next line is never refused.
 */
export class RemotePaths {
  readonly #platform: string;
  readonly #directory: () => string;
  readonly #list: RemotePathsOptions['list'];
  /** The oldest first. */
  readonly #known = new Map<string, Directory>();
  #names = 0;

  constructor({ platform, directory, list }: RemotePathsOptions) {
    this.#platform = platform;
    this.#directory = directory;
    this.#list = list;
  }

  /** Learns from the rows of a command: a `path` in them exists, and a `dir` that completes has shown a whole directory. */
  watch(command: TrackedCommand): OutputWriter {
    const lines = new JsonLines();
    const startedIn = this.#directory();
    const learn = (found: readonly string[]) => {
      for (const line of found) this.#learn(rowOf(line));
    };
    return {
      write: (stream, bytes) => {
        if (stream === 'result') learn(lines.add(bytes));
      },
      end: () => {
        learn(lines.end());
        if (command.name !== 'dir' || command.state !== 'Completed') return;
        const listed = this.#open(this.#paths.resolve(startedIn, listedPath(command.line) ?? '.'));
        // A file is listed as itself, in its own directory.
        if (!this.#isFile(listed.path)) listed.isWhole = listed.names.size < mostNames;
      },
    };
  }

  /** Candidates for what was typed of a path. */
  source({ command, parameter, text }: TypedValue): SourceAnswer | undefined {
    if (parameter.type !== 'path' || this.#directory() === '') return undefined;
    const cut = Math.max(...this.#separators.map((separator) => text.lastIndexOf(separator))) + 1;
    const typedDirectory = text.slice(0, cut);
    const start = this.#folded(text.slice(cut));
    const directory = this.#paths.resolve(this.#directory(), typedDirectory === '' ? '.' : typedDirectory);
    const known = this.#known.get(this.#folded(directory));
    const candidates = [...(known?.names ?? [])]
      .filter(([name, leadsOn]) => (leadsOn || command !== 'cd') && this.#folded(name).startsWith(start))
      .map(([name, leadsOn]): ValueCandidate => {
        const shown = leadsOn ? `${name}${this.#paths.sep}` : name;
        return { text: `${typedDirectory}${shown}`, label: shown, isOpen: leadsOn };
      })
      .sort((one, other) => (one.label < other.label ? -1 : 1));
    if (known?.isWhole === true && candidates.length > 0) return { candidates };
    const line = `dir ${quoteValue(directory)} &`;
    return {
      candidates,
      more: { question: `list it on the device, recorded as ${line}`, ask: () => this.#list(line) },
    };
  }

  get #paths(): typeof posix {
    return this.#platform === 'windows' ? win32 : posix;
  }

  get #separators(): readonly string[] {
    return this.#platform === 'windows' ? ['\\', '/'] : ['/'];
  }

  /** Names that differ in case only are one name, except on Linux. */
  #folded(text: string): string {
    return this.#platform === 'linux' ? text : text.toLowerCase();
  }

  #learn(row: Row | undefined): void {
    const path = typableText(row?.['path']);
    if (path === undefined || !this.#paths.isAbsolute(path)) return;
    const leadsOn = row?.['kind'] === 'directory' || row?.['kind'] === 'link';
    for (let at = this.#paths.normalize(path), more = leadsOn; ; more = true) {
      const parent = this.#paths.dirname(at);
      const name = this.#paths.basename(at);
      if (parent === at || name === '') return;
      const { names } = this.#open(parent);
      if (names.get(name) === true || (names.has(name) && !more) || names.size >= mostNames) return;
      if (!names.has(name)) this.#names += 1;
      names.set(name, more);
      at = parent;
    }
  }

  #isFile(path: string): boolean {
    const parent = this.#known.get(this.#folded(this.#paths.dirname(path)));
    return parent?.names.get(this.#paths.basename(path)) === false;
  }

  #open(path: string): Directory {
    const key = this.#folded(path);
    const known = this.#known.get(key) ?? { path, names: new Map<string, boolean>(), isWhole: false };
    // Used last: forgotten last.
    this.#known.delete(key);
    this.#known.set(key, known);
    while (this.#names > mostNames && this.#known.size > 1) {
      const [oldest] = this.#known;
      if (oldest === undefined) break;
      this.#known.delete(oldest[0]);
      this.#names -= oldest[1].names.size;
    }
    return known;
  }
}

const listedPath = (line: string): string | undefined => {
  const parsed = parseCommand(line, catalogue);
  const path = parsed.ok ? parsed.command.parameters['path'] : undefined;
  return typeof path === 'string' ? path : undefined;
};

/** Undefined for a text that cannot be typed as it is: one that is not UTF-8, or that has marks nobody sees. */
const typableText = (value: unknown): string | undefined =>
  typeof value === 'string' && shownInLine(value) === value ? value : undefined;
