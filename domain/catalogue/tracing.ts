/** True for a command that has the device log in detail for as long as it runs. */
export const startsTracing = ({
  name,
  parameters,
}: {
  readonly name: string;
  readonly parameters: Readonly<Record<string, string | number>>;
}): boolean => name === 'trace' && parameters['state'] !== 'off';
