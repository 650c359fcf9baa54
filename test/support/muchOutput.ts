import { createHash } from 'node:crypto';
import { mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, inject } from 'vitest';
import { commandEnds } from '../../sdk/index.ts';
import { descendantsOf } from './faultProcesses.ts';
import { plantLongNames, removeTree } from './plantedNames.ts';
import { openConnected, responder } from './responders.ts';

/** Of processes of this machine: the largest size that each ever had in memory, in bytes. */
const peakOf = async (pid: number): Promise<number> => {
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(peak) * 1024;
};

const megabyte = 1_000_000;

/**
 * Has this machine put out as much as `files` long names make (18 KB each) and follows it: the parts as they come must make the
 * whole, the whole must name every file, and no process on the device may need much memory for it.
 */
export const bringMuchOutput = async (
  files: number,
): Promise<{ readonly size: number; readonly parts: number }> => {
  const ana = responder('ana');
  const { device, dataDir } = inject('cloud');
  const top = await mkdtemp(join(dataDir, 'much-'));
  const planted = plantLongNames(top, files);
  const session = await openConnected(ana, device.deviceId);
  const { sessionId } = session;
  const command = await ana.issueCommand(sessionId, `findfile *0* "${top}" &`);
  const hash = createHash('sha256');
  let size = 0;
  let liveParts = 0;
  for await (const { type, data } of ana.events(sessionId, { after: session.version })) {
    if (data['commandId'] !== command.commandId) continue;
    if (type === 'CommandOutputRecorded') {
      const part = data as { readonly offset: number; readonly size: number; readonly sha256: string };
      const own = createHash('sha256');
      let got = 0;
      for await (const bytes of await ana.output(sessionId, command.commandId, {
        from: part.offset,
        size: part.size,
      })) {
        own.update(bytes);
        hash.update(bytes);
        got += bytes.length;
      }
      expect(got).toBe(part.size);
      expect(own.digest('hex')).toBe(part.sha256);
      size += got;
      liveParts += 1;
    }
    if (commandEnds.has(type)) {
      expect(type).toBe('CommandCompleted');
      break;
    }
  }
  const pids = [device.pid, ...descendantsOf(device.pid).map(({ pid }) => pid)];
  expect(pids.length, 'service, worker, executor').toBeGreaterThan(2);
  expect(Math.max(...(await Promise.all(pids.map(peakOf))))).toBeLessThan(150 * megabyte);
  await ana.disconnect(sessionId);

  // The whole is the whole: once more, as one stream, row by row.
  const whole = createHash('sha256');
  const paths = new Set<string>();
  let rest = '';
  const decoder = new TextDecoder();
  for await (const bytes of await ana.output(sessionId, command.commandId)) {
    whole.update(bytes);
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const { path } = JSON.parse(line) as { readonly path: { readonly bytes: string } };
      paths.add(path.bytes);
    }
  }
  expect(rest).toBe('');
  expect(whole.digest('hex')).toBe(hash.digest('hex'));
  expect(paths.size).toBe(planted.length);
  expect(planted.every((path) => paths.has(path.toString('base64')))).toBe(true);
  await removeTree(top);
  return { size, parts: liveParts };
};
