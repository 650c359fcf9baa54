import { type KeyObject, randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import * as z from 'zod';
import {
  type DeviceTokenResponse,
  deviceTokenResponse,
  type EnrolRequest,
  type EnrolResponse,
  enrolAudience,
  enrolResponse,
  type KeySet,
  keySet,
  tokenAudience,
} from '../../contracts/device.ts';
import { sha256 } from '../../evidence/canonical.ts';

const timeoutMs = 20_000;
const assertionSeconds = 120;

/** The backend's refusal. */
export class BackendRefusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'BackendRefusal';
    this.status = status;
  }
}

const problem = z.object({
  code: z.string().optional(),
  title: z.string().optional(),
  detail: z.string().optional(),
});

/** The calls of a device to the backend over HTTPS. Learns from every answer how far the backend's clock is ahead. */
export class Backend {
  readonly #server: string;
  #clockOffsetMs = 0;

  constructor(server: string) {
    this.#server = server.replace(/\/+$/, '').replace(/\/api$/, '');
  }

  /** Milliseconds to add to this device's clock to get the backend's. */
  get clockOffsetMs(): number {
    return this.#clockOffsetMs;
  }

  async enrol(
    request: Omit<EnrolRequest, 'proof'>,
    privateKey: KeyObject,
  ): Promise<EnrolResponse & { readonly isNew: boolean }> {
    return this.#withRightClock(async () => {
      const now = this.#nowSeconds();
      const proof = await new SignJWT({ token_sha256: sha256(request.token) })
        .setProtectedHeader({ alg: 'EdDSA' })
        .setAudience(enrolAudience)
        .setJti(randomUUID())
        .setIssuedAt(now)
        .setExpirationTime(now + assertionSeconds)
        .sign(privateKey);
      const { status, body } = await this.#call('POST', '/devices/enrol', { ...request, proof });
      return { ...enrolResponse.parse(body), isNew: status === 201 };
    });
  }

  async token(
    {
      tenantId,
      deviceId,
      kid,
    }: { readonly tenantId: string; readonly deviceId: string; readonly kid: string },
    privateKey: KeyObject,
  ): Promise<DeviceTokenResponse> {
    return this.#withRightClock(async () => {
      const now = this.#nowSeconds();
      const assertion = await new SignJWT({ tid: tenantId })
        .setProtectedHeader({ alg: 'EdDSA', kid })
        .setAudience(tokenAudience)
        .setIssuer(deviceId)
        .setSubject(deviceId)
        .setJti(randomUUID())
        .setIssuedAt(now)
        .setExpirationTime(now + assertionSeconds)
        .sign(privateKey);
      const { body } = await this.#call('POST', `/devices/${encodeURIComponent(deviceId)}/token`, {
        assertion,
      });
      const token = deviceTokenResponse.parse(body);
      this.#clockOffsetMs = Date.parse(token.serverTime) - Date.now();
      return token;
    });
  }

  async keySets(): Promise<readonly KeySet[]> {
    const { body } = await this.#call('GET', '/keys');
    return z.object({ keySets: z.array(keySet) }).parse(body).keySets;
  }

  #nowSeconds(): number {
    return Math.floor((Date.now() + this.#clockOffsetMs) / 1000);
  }

  /** A device whose clock is wrong signs assertions that are refused: the refusal tells the right time, so it tries once more. */
  async #withRightClock<Result>(call: () => Promise<Result>): Promise<Result> {
    const before = this.#clockOffsetMs;
    try {
      return await call();
    } catch (error) {
      const moved = Math.abs(this.#clockOffsetMs - before) > 5_000;
      // An enrolment's proof that is out of time is refused with 403.
      if (error instanceof BackendRefusal && [400, 401, 403].includes(error.status) && moved) return call();
      throw error;
    }
  }

  async #call(
    method: 'GET' | 'POST',
    path: string,
    content?: unknown,
  ): Promise<{ readonly status: number; readonly body: unknown }> {
    let response: Response;
    try {
      response = await fetch(`${this.#server}/api${path}`, {
        method,
        headers: { accept: 'application/json', 'content-type': 'application/json' },
        ...(content === undefined ? {} : { body: JSON.stringify(content) }),
        signal: AbortSignal.timeout(timeoutMs),
      });
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      throw new Error(
        `${this.#server} cannot be reached: ${cause instanceof Error ? cause.message : String(cause)}`,
      );
    }
    const date = Date.parse(response.headers.get('date') ?? '');
    if (!response.ok && !Number.isNaN(date)) this.#clockOffsetMs = date - Date.now();
    const text = await response.text();
    let body: unknown;
    try {
      body = text === '' ? undefined : JSON.parse(text);
    } catch {
      throw new BackendRefusal(
        response.status,
        `${this.#server} did not answer in JSON (status ${response.status}).`,
      );
    }
    if (response.ok) return { status: response.status, body };
    const { code, title, detail } = problem.safeParse(body).data ?? {};
    throw new BackendRefusal(
      response.status,
      `The backend refused (${response.status}${code === undefined ? '' : ` ${code}`}): ${detail ?? title ?? 'no reason given'}`,
    );
  }
}
