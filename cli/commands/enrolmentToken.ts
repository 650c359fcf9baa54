import { type GlobalOptions, type JsonOption, openClient } from '../context.ts';
import { exitCodes } from '../exitCodes.ts';
import { shownInLine } from '../terminal/neutralise.ts';
import { notice, print, printJson } from '../terminal/screen.ts';
import { shownTime } from '../terminal/units.ts';

export interface EnrolmentTokenOptions extends GlobalOptions, JsonOption {
  readonly uses: number;
  readonly validFor?: number;
  readonly description?: string;
}

/** Only the token goes to stdout, so that it can be piped to an agent. */
export const enrolmentToken = async (options: EnrolmentTokenOptions): Promise<number> => {
  const { client } = await openClient(options);
  const { uses, validFor, description } = options;
  const made = await client.createEnrolmentToken({
    uses,
    ...(validFor === undefined ? {} : { validFor }),
    ...(description === undefined ? {} : { description }),
  });
  if (options.json) {
    printJson(made);
    return exitCodes.completed;
  }
  print(shownInLine(made.token));
  notice(
    `Good for ${made.uses === 1 ? 'one device' : `${made.uses} devices`} until ${shownTime(made.expiresAt)}. It is shown this once only.`,
  );
  return exitCodes.completed;
};
