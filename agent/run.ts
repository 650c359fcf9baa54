import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { crashPointIn } from './crashPoint.ts';
import { DiskReserve, isOutOfRoom } from './journal/diskReserve.ts';
import { Journal } from './journal/journal.ts';
import { whenThereIsRoom } from './journal/whenThereIsRoom.ts';
import { log } from './log.ts';
import { CommandTrust } from './service/commandTrust.ts';
import { DeviceService } from './service/deviceService.ts';
import { readAgentSettings, requireAgentSettings, writeAgentSettings } from './settings/agentSettings.ts';
import { trustAuthorities } from './settings/authorities.ts';
import { readDeviceKey } from './settings/deviceKey.ts';
import { lockService } from './settings/serviceLock.ts';
import { prepareStateDirectory } from './settings/stateDirectory.ts';
import { Backend } from './transport/backend.ts';
import { ServiceBusChannel } from './transport/serviceBusChannel.ts';
import { agentVersion } from './version.ts';

/** Runs the service until SIGTERM or SIGINT. Prints one line `{"ready":true,…}` when it can be commanded. */
export const run = async (stateDirectory: string): Promise<void> => {
  prepareStateDirectory(stateDirectory);
  const settings = requireAgentSettings(stateDirectory);
  const key = readDeviceKey(stateDirectory);
  if (key === undefined)
    throw new Error(`The device's key is missing in ${stateDirectory}. Restore it or enrol anew.`);
  const reserve = new DiskReserve(stateDirectory);
  const lock = await whenThereIsRoom(reserve, () => lockService(stateDirectory));
  if (lock === undefined) throw new Error(`Another agent runs on ${stateDirectory}.`);
  if (settings.caFile !== null) trustAuthorities(settings.caFile);

  const journal = await whenThereIsRoom(reserve, () => new Journal(stateDirectory, reserve));
  await whenThereIsRoom(reserve, () => journal.beginRun(randomUUID(), new Date().toISOString()));
  reserve.hold();
  const { tenantId, deviceId, kid } = settings;
  const identity = { tenantId, deviceId, kid, privateKey: key.privateKey };
  const backend = new Backend(settings.server);
  const trust = new CommandTrust(
    settings.keySetTrusted,
    () => backend.keySets(),
    (keySetTrusted) => {
      try {
        const known = readAgentSettings(stateDirectory) ?? settings;
        reserve.spend(() => writeAgentSettings(stateDirectory, { ...known, keySetTrusted }));
      } catch (error) {
        if (!isOutOfRoom(error)) throw error;
        log(
          `the disk is full: key set ${keySetTrusted.version} is trusted until the agent ends, and kept later`,
        );
      }
    },
  );
  const channel = new ServiceBusChannel(async () => {
    const token = await backend.token(identity, key.privateKey);
    await trust.follow(token.keySets);
    return token;
  });
  let isReady = false;
  channel.onConnected(() => {
    if (isReady) return;
    isReady = true;
    process.stdout.write(`${JSON.stringify({ ready: true, pid: process.pid, deviceId, agentVersion })}\n`);
  });
  const service = new DeviceService({
    identity,
    journal,
    reserve,
    channel,
    trust,
    crashPoint: crashPointIn(stateDirectory),
    processSettings: {
      caFile: settings.caFile,
      witness: process.env['LIVE_RESPONSE_WITNESS'] ?? null,
      stateDirectory: resolve(stateDirectory),
    },
  });

  let isStopping = false;
  const stop = (): void => {
    if (isStopping) return;
    isStopping = true;
    log('stopping');
    service.stop().then(
      () => {
        lock.release();
        process.exit(0);
      },
      (error: unknown) => {
        log(`stopped badly: ${String(error)}`);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  await service.start();
};
