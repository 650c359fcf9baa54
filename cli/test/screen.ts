import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import xterm from '@xterm/headless';
import { compileCache } from './runLr.ts';

/** `script` of util-linux, which every Debian has, makes the pseudo-terminal; the emulator makes the screen. */
const pseudoTerminal = '/usr/bin/script';
export const hasPseudoTerminal = process.platform === 'linux' && existsSync(pseudoTerminal);

export interface ScreenOptions {
  readonly folder: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly columns?: number;
  readonly rows?: number;
}

/** A program on a real pseudo-terminal, and what a person at it would see. */
export interface Screen {
  type(keys: string): void;
  /** The visible rows, without the blanks at their ends. */
  text(): string;
  /** Every row since the start, also those that have moved out of sight. */
  all(): string;
  readonly terminal: xterm.Terminal;
  /** Settles when the screen matches; rejects when the program ends before, or after 30 s. */
  shows(pattern: RegExp): Promise<void>;
  readonly exited: Promise<number>;
  kill(): void;
}

export const keys = {
  enter: '\r',
  up: '\u001b[A',
  escape: '\u001b',
  ctrl: (letter: string) => String.fromCharCode(letter.toUpperCase().charCodeAt(0) - 64),
} as const;

export const openScreen = (
  command: readonly string[],
  { folder, env = {}, columns = 80, rows = 24 }: ScreenOptions,
): Screen => {
  const quoted = command.map((word) => `'${word}'`).join(' ');
  const child = spawn(
    pseudoTerminal,
    ['-qefc', `stty cols ${columns} rows ${rows}; exec ${quoted}`, '/dev/null'],
    {
      cwd: folder,
      env: {
        ...process.env,
        TERM: 'xterm-256color',
        COLORTERM: '',
        NO_COLOR: '',
        FORCE_COLOR: '',
        NODE_COMPILE_CACHE: compileCache,
        ...env,
      },
    },
  );
  const terminal = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 2_000 });
  return screenOf(child, terminal);
};

const screenOf = (child: ChildProcessWithoutNullStreams, terminal: xterm.Terminal): Screen => {
  const checks = new Set<() => void>();
  let isOver = false;
  const check = () => {
    for (const one of checks) one();
  };
  child.stdout.on('data', (bytes: Buffer) => terminal.write(bytes, check));
  // What the emulator answers, for example to a question for the cursor's place, is typed as a real one would.
  terminal.onData((answer) => child.stdin.write(answer));
  const exited = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      terminal.write('', () => {
        isOver = true;
        check();
        resolve(code ?? -1);
      });
    });
  });
  const rowsFrom = (first: number, count: number): string =>
    Array.from({ length: count }, (_, at) =>
      terminal.buffer.active.getLine(first + at)?.translateToString(true),
    )
      .join('\n')
      .trimEnd();
  const screen: Screen = {
    type: (typed) => void child.stdin.write(typed),
    text: () => rowsFrom(terminal.buffer.active.viewportY, terminal.rows),
    all: () => rowsFrom(0, terminal.buffer.active.length),
    terminal,
    shows: (pattern) =>
      new Promise((resolve, reject) => {
        const finish = (outcome: () => void) => {
          checks.delete(look);
          clearTimeout(timer);
          outcome();
        };
        const look = () => {
          const text = screen.text();
          const isThere = pattern.test(text);
          if (isThere) finish(resolve);
          else if (isOver)
            finish(() => reject(new Error(`It ended before ${pattern} was shown:\n${screen.all()}`)));
        };
        const timer = setTimeout(
          () => finish(() => reject(new Error(`${pattern} is not shown:\n${screen.text()}`))),
          30_000,
        );
        checks.add(look);
        look();
      }),
    exited,
    kill: () => void child.kill('SIGKILL'),
  };
  return screen;
};

/** Ids of sessions and commands are random: each becomes another one of the same length, numbered as they appear. */
export const withoutChance = (text: string): string => {
  const known = new Map<string, string>();
  return text.replace(/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g, (id) => {
    const number = known.get(id) ?? `00000000-0000-4000-8000-${String(known.size + 1).padStart(12, '0')}`;
    known.set(id, number);
    return number;
  });
};
