import {
  type Candidate,
  complete,
  isPlatform,
  quoteValue,
  type TypedValue,
} from '../../../domain/catalogue/index.ts';
import { reportOf } from '../../failure.ts';
import type { ConnectedDevice } from '../../session/liveSession.ts';
import { inColumns } from '../../terminal/columns.ts';
import { shownInLine } from '../../terminal/neutralise.ts';
import { ownWords } from '../ownWords.ts';
import type { SourceAnswer, ValueCandidate, ValueSource } from './valueSource.ts';

/** A device that does not answer must not keep the keyboard. */
const answerWithinMs = 5_000;

export interface TabCompletionOptions {
  readonly device: () => ConnectedDevice | undefined;
  readonly sources: readonly ValueSource[];
  /** Where a list and a sentence are shown; the line being typed is put back below them. */
  readonly show: (text: string) => void;
  readonly say: (sentence: string) => void;
  readonly width: () => number;
}

/** What Tab puts in the place of the last characters of the line. */
export interface Replacement {
  readonly typed: string;
  readonly text: string;
}

/** Something that may stand at the cursor. */
interface Offer {
  /** As it stands in the line, quotes included. */
  readonly text: string;
  /** What follows it once it is the only one. */
  readonly after: string;
  readonly label: string;
  readonly description: string;
}

/**
 * Tab: adds what all candidates begin with. Pressed again where that is nothing, it shows the candidates. Where a source
 * has not all of them, it says what asking for more would do, and asks when Tab is pressed once more.
 */
export class TabCompletion {
  readonly #options: TabCompletionOptions;
  #last: string | undefined;
  /** The line for which it was told what asking would do. */
  #told: string | undefined;

  constructor(options: TabCompletionOptions) {
    this.#options = options;
  }

  /** `line` ends at the cursor. Never throws. */
  async complete(line: string): Promise<Replacement | undefined> {
    const isRepeated = this.#last === line;
    const offered = this.#offersFor(line);
    const added = offered && progressOf(offered);
    // What Tab itself has added counts as pressed once.
    this.#last =
      added === undefined ? line : `${line.slice(0, line.length - added.typed.length)}${added.text}`;
    if (offered === undefined || added !== undefined) return added;
    const { offers, more } = offered;
    if (more !== undefined && this.#told === line) return this.#askFor(line, more);
    if (isRepeated) this.#list(offers);
    if (more !== undefined && (isRepeated || offers.length === 0)) {
      this.#told = line;
      const known = offers.length === 0 ? 'Not seen' : 'Only these were seen';
      this.#options.say(`${known} in this session yet. Tab again to ${shownInLine(more.question)}.`);
    }
    return undefined;
  }

  async #askFor(line: string, more: More): Promise<Replacement | undefined> {
    if (!(await this.#ask(more))) return undefined;
    const found = this.#offersFor(line);
    const added = found && progressOf(found);
    if (found === undefined || added !== undefined) return added;
    if (found.offers.length === 0) this.#options.say('Nothing there begins so.');
    this.#list(found.offers);
    return undefined;
  }

  async #ask({ ask }: More): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      await Promise.race([
        ask(),
        new Promise((_resolve, reject) => {
          timer = setTimeout(() => reject(new Error('The device has not answered yet.')), answerWithinMs);
        }),
      ]);
      return true;
    } catch (error) {
      const message = reportOf(error)?.message ?? (error instanceof Error ? error.message : String(error));
      this.#options.say(`${shownInLine(message)}`);
      return false;
    } finally {
      clearTimeout(timer);
    }
  }

  #list(offers: readonly Offer[]): void {
    if (offers.length > 0) this.#options.show(inColumns(offers, this.#options.width()));
  }

  #offersFor(line: string): Offers | undefined {
    const device = this.#options.device();
    if (device === undefined || !isPlatform(device.platform)) return undefined;
    const { platform, capabilities } = device;
    // Which rights the user has only the server knows; it refuses what is offered too much.
    const context = { platform, capabilities, rights: ['Basic', 'Advanced'] as const };
    const { from, to, candidates, value } = complete(line, line.length, context);
    const typed = line.slice(from, to);
    const isFirstWord = line.slice(0, from).trim() === '';
    const own = isFirstWord ? ownWords.filter(({ text }) => text.startsWith(typed.toLowerCase())) : [];
    const answers = value === undefined ? [] : this.#answersFor(value);
    const values = answers.flatMap((answer) => answer.candidates);
    const more = answers.find((answer) => answer.more !== undefined)?.more;
    // Where values are known, names of parameters are in the way until one is begun.
    const names = answers.length > 0 && typed === '' ? [] : [...own, ...candidates];
    const known = new Map(names.map((candidate) => [candidate.text, offerOf(candidate)]));
    return {
      typed,
      offers: [
        ...[...known.values()].sort((one, other) => (one.text < other.text ? -1 : 1)),
        ...valueOffers(values, value?.quote),
      ],
      ...(more === undefined ? {} : { more }),
    };
  }

  #answersFor(value: TypedValue): readonly SourceAnswer[] {
    return this.#options.sources.flatMap((source) => source(value) ?? []);
  }
}

type More = NonNullable<SourceAnswer['more']>;

interface Offers {
  readonly typed: string;
  readonly offers: readonly Offer[];
  readonly more?: More;
}

const offerOf = ({ text, description }: Candidate): Offer => ({ text, after: ' ', label: text, description });

/** A quote that is open stays the one. When one value needs quotes all get them, so that they begin alike. */
const valueOffers = (values: readonly ValueCandidate[], open: TypedValue['quote']): Offer[] => {
  const quote = open ?? values.map(({ text }) => quoteFor(text)).find((one) => one !== '') ?? '';
  return values.map(({ text, label, description = '', isOpen = false }) => ({
    text: quote === '' ? text : `${quote}${text.replaceAll(quote, quote + quote)}`,
    after: isOpen ? '' : `${quote} `,
    label,
    description,
  }));
};

const quoteFor = (text: string): string => {
  const typed = quoteValue(text);
  return typed === text ? '' : typed.charAt(0);
};

/** Undefined when nothing can be added for certain. */
const progressOf = ({ typed, offers }: Offers): Replacement | undefined => {
  const [only, ...others] = offers;
  if (only === undefined) return undefined;
  const text =
    others.length === 0 ? `${only.text}${only.after}` : commonStart(offers.map((offer) => offer.text));
  return text.length > typed.length && text !== typed ? { typed, text } : undefined;
};

const commonStart = ([first = '', ...others]: readonly string[]): string => {
  let length = first.length;
  for (const other of others) {
    while (!other.startsWith(first.slice(0, length))) length -= 1;
  }
  // Half a character would be none.
  return first.slice(0, length).replace(/[\ud800-\udbff]$/, '');
};
