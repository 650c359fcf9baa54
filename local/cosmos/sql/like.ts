import { badRequest } from '../errors.ts';

const maxKnown = 200;
const known = new Map<string, RegExp>();

/** Whether a text fits a pattern of LIKE: `%` any characters, `_` one, `[a-c]` and `[^a-c]` one of a set. */
export function isLike(text: string, pattern: string, escape: string | undefined): boolean {
  const key = JSON.stringify([pattern, escape]);
  let expression = known.get(key);
  if (expression === undefined) {
    expression = toRegExp(pattern, escape);
    if (known.size >= maxKnown) known.clear();
    known.set(key, expression);
  }
  return expression.test(text);
}

const literal = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');

function toRegExp(pattern: string, escape: string | undefined): RegExp {
  if (escape !== undefined && escape.length !== 1) throw badRequest('ESCAPE takes one character.');
  let source = '';
  for (let at = 0; at < pattern.length; at += 1) {
    const character = pattern[at] ?? '';
    const setEnd = character === '[' ? pattern.indexOf(']', at + 1) : -1;
    if (character === escape) {
      at += 1;
      source += literal(pattern[at] ?? character);
    } else if (character === '%') source += '.*';
    else if (character === '_') source += '.';
    else if (setEnd > at + 1) {
      const set = pattern.slice(at + 1, setEnd);
      const negation = set.startsWith('^') ? '^' : '';
      source += `[${negation}${set.slice(negation.length).replace(/[\\[\]^]/g, '\\$&')}]`;
      at = setEnd;
    } else source += literal(character);
  }
  return new RegExp(`^${source}$`, 's');
}
