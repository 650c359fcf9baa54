import { enrolSimulated, readIdentities, type SimulatedIdentity, writeIdentities } from './identity.ts';

const enrolsAtOnce = 4;
const usesPerToken = 500;

export interface FleetEnrolment {
  readonly server: string;
  readonly devices: number;
  /** Where the fleet is kept between runs. */
  readonly file: string;
  readonly newToken: (uses: number) => Promise<string>;
  readonly progress: (enrolled: number) => void;
  readonly prefix?: string;
}

/** A fleet of so many devices: those of the file, and new ones as far as they do not suffice. */
export const enrolFleet = async ({
  server,
  devices,
  file,
  newToken,
  progress,
  prefix = 'simulated',
}: FleetEnrolment): Promise<readonly SimulatedIdentity[]> => {
  const identities = [...(await readIdentities(file, server))].slice(0, devices);
  while (identities.length < devices) {
    const wanted = Math.min(devices - identities.length, usesPerToken);
    const token = await newToken(wanted);
    const first = identities.length;
    let next = first;
    const enrolOnes = async (): Promise<void> => {
      while (next < first + wanted) {
        const name = `${prefix}-${next}`;
        next += 1;
        identities.push(await enrolSimulated(server, token, name));
        progress(identities.length);
      }
    };
    await Promise.all(Array.from({ length: enrolsAtOnce }, enrolOnes));
    await writeIdentities(file, identities);
  }
  return identities;
};
