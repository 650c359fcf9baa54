import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';

/** Asks for a secret without showing what is typed. Only for a terminal. */
export const askSecret = async (question: string): Promise<string> => {
  process.stderr.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const asked = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    return await asked.question('');
  } finally {
    asked.close();
    process.stderr.write('\n');
  }
};
