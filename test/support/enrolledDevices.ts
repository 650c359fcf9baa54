import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { AzureSASCredential } from '@azure/core-auth';
import { ServiceBusClient, type ServiceBusReceiver, type ServiceBusSender } from '@azure/service-bus';
import { decodeJwt, SignJWT } from 'jose';
import WebSocket from 'ws';
import {
  type DevicePublicKey,
  type DeviceTokenResponse,
  type DownwardPayload,
  deviceTokenResponse,
  downwardMessage,
  downwardPayload,
  enrolAudience,
  enrolResponse,
  tokenAudience,
  type UpwardMessage,
} from '../../contracts/device.ts';
import { sha256 } from '../../evidence/canonical.ts';
import { signMessage } from '../../evidence/deviceSignature.ts';
import { type RawAnswer, rawCall } from './rawCalls.ts';
import { responder } from './responders.ts';

/** A device that is really enrolled, and whose agent is the test. */
export interface EnrolledDevice {
  readonly tenantId: string;
  readonly deviceId: string;
  readonly kid: string;
  readonly privateKey: KeyObject;
}

export const aKeyPair = (): { readonly privateKey: KeyObject; readonly publicKey: DevicePublicKey } => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const { x = '' } = publicKey.export({ format: 'jwk' });
  return { privateKey, publicKey: { kty: 'OKP', crv: 'Ed25519', x } };
};

const nowSeconds = (): number => Math.floor(Date.now() / 1000);

/** Asks for enrolment as an agent does; `changes` replace members of the request. */
export const requestEnrolment = async (
  token: string,
  { privateKey, publicKey }: ReturnType<typeof aKeyPair>,
  name: string,
  changes: Readonly<Record<string, unknown>> = {},
): Promise<RawAnswer> => {
  const proof = await new SignJWT({ token_sha256: sha256(token) })
    .setProtectedHeader({ alg: 'EdDSA' })
    .setAudience(enrolAudience)
    .setJti(randomUUID())
    .setIssuedAt()
    .setExpirationTime('2m')
    .sign(privateKey);
  return rawCall(undefined, 'POST', '/devices/enrol', {
    body: {
      token,
      publicKey,
      name,
      platform: 'linux',
      osVersion: 'test',
      agentVersion: '0.0.0',
      proof,
      ...changes,
    },
  });
};

/** Enrols `count` devices with one enrolment token, each with a key of its own. */
export const enrolDevices = async (count: number, name: string): Promise<readonly EnrolledDevice[]> => {
  const { token } = await responder('ana').createEnrolmentToken({ uses: count });
  return Promise.all(
    Array.from({ length: count }, async (_, index): Promise<EnrolledDevice> => {
      const keys = aKeyPair();
      const answer = await requestEnrolment(token, keys, `${name}-${index + 1}`);
      if (answer.status !== 201)
        throw new Error(`Not enrolled: ${answer.status} ${JSON.stringify(answer.body)}`);
      const { tenantId, deviceId, kid } = enrolResponse.parse(answer.body);
      return { tenantId, deviceId, kid, privateKey: keys.privateKey };
    }),
  );
};

/** What a device signs to get its tokens; `claims` replace single ones, `signer` is another key. */
export const assertionOf = (
  { tenantId, deviceId, kid, privateKey }: EnrolledDevice,
  claims: Readonly<Record<string, unknown>> = {},
  signer: KeyObject = privateKey,
): Promise<string> =>
  new SignJWT({
    tid: tenantId,
    aud: tokenAudience,
    iss: deviceId,
    sub: deviceId,
    jti: randomUUID(),
    iat: nowSeconds(),
    exp: nowSeconds() + 120,
    ...claims,
  })
    .setProtectedHeader({ alg: 'EdDSA', kid })
    .sign(signer);

export const requestDeviceToken = (deviceId: string, assertion: string): Promise<RawAnswer> =>
  rawCall(undefined, 'POST', `/devices/${deviceId}/token`, { body: { assertion } });

/** A Service Bus client that holds one token and does not hide failures behind long retries. */
export const busClient = (namespace: string, token: string): ServiceBusClient =>
  new ServiceBusClient(namespace, new AzureSASCredential(token), {
    webSocketOptions: { webSocket: WebSocket },
    retryOptions: { maxRetries: 0, timeoutInMs: 10_000 },
  });

export type Content = Pick<UpwardMessage, 'kind' | 'body'>;

/** The agent's side of the device channel, played by the test. */
export interface PlayedAgent {
  readonly access: DeviceTokenResponse;
  readonly listening: ServiceBusClient;
  readonly sending: ServiceBusClient;
  /** A signed message; `changes` are made before it is signed. */
  readonly message: (
    sessionId: string,
    sequence: number,
    content: Content,
    changes?: Partial<Omit<UpwardMessage, 'signature'>>,
    signer?: KeyObject,
  ) => UpwardMessage;
  /** Puts anything on the messages queue, in the order in which it is called for one session. */
  readonly send: (sessionId: string, body: unknown) => Promise<void>;
  /** Takes the next message off this device's queue and reads what the backend signed. */
  readonly next: () => Promise<DownwardPayload>;
  readonly close: () => Promise<void>;
}

export const playAgent = async (device: EnrolledDevice): Promise<PlayedAgent> => {
  const { tenantId, deviceId, kid, privateKey } = device;
  const answer = await requestDeviceToken(deviceId, await assertionOf(device));
  const access = deviceTokenResponse.parse(answer.body);
  const listening = busClient(access.namespace, access.listenToken);
  const sending = busClient(access.namespace, access.sendToken);
  const run = randomUUID();
  let sender: ServiceBusSender | undefined;
  let receiver: ServiceBusReceiver | undefined;
  return {
    access,
    listening,
    sending,
    message: (sessionId, sequence, content, changes = {}, signer = privateKey) =>
      signMessage(
        {
          v: 1,
          messageId: `${sessionId}:${sequence}`,
          tenantId,
          deviceId,
          sessionId,
          kid,
          run,
          sequence,
          previousRun: null,
          previousLast: 0,
          ...content,
          ...changes,
        },
        signer,
      ),
    send: async (sessionId, body) => {
      sender ??= sending.createSender(access.messagesQueue);
      // A message id of its own each time: the broker must not sort out what the backend is to sort out.
      await sender.sendMessages({ messageId: randomUUID(), sessionId, body });
    },
    next: async () => {
      receiver ??= listening.createReceiver(access.queue);
      const [received] = await receiver.receiveMessages(1, { maxWaitTimeInMs: 20_000 });
      if (received === undefined) throw new Error('Nothing came down the queue of the device within 20 s.');
      await receiver.completeMessage(received);
      return downwardPayload.parse(decodeJwt(downwardMessage.parse(received.body).jws));
    },
    close: async () => {
      await Promise.all([listening.close(), sending.close()]);
    },
  };
};

export const openedContent = (capabilities: readonly string[] = ['dir', 'processes', 'run']): Content => ({
  kind: 'session.opened',
  body: {
    agentVersion: '0.0.0',
    platform: 'linux',
    hostName: 'played-by-a-test',
    osVersion: 'test',
    capabilities,
    directory: '/',
    resumed: false,
  },
});
