import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type BoundCommand,
  type CommandDefinition,
  catalogue,
  complete,
  formatCommand,
  type ParameterDefinition,
  parseCommand,
  parseLine,
  platforms,
} from '../../../domain/catalogue/index.ts';

/** Text that a line can carry, rich in what the grammar gives a meaning. */
const nasty = fc
  .array(
    fc.oneof(
      fc.constantFrom('"', "'", '\\', '-', '&', '>', ' ', '\t', '""', "''", '\\"', '-output', 'json', 'list'),
      fc.constantFrom(
        ' & ',
        ' > x',
        'C:\\Program Files\\',
        '\u00a0',
        '\u2028',
        '😀',
        '--',
        '$',
        '`',
        '%',
        '*',
      ),
      fc.string({ unit: 'grapheme', maxLength: 8 }),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''))
  .filter((text) => text.isWellFormed() && !/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/.test(text));

const integer = fc.integer({ min: 0, max: 4_294_967_295 });

const valueOf = (
  { type, choices, mayBeEmpty, forbiddenCharacters, dependsOn }: ParameterDefinition,
  values: Record<string, string | number>,
): fc.Arbitrary<string | number> => {
  const isInteger =
    type === 'integer' || dependsOn?.integerFor?.includes(String(values[dependsOn.parameter])) === true;
  if (isInteger) return integer;
  if (type === 'choice') return fc.constantFrom(...(choices ?? []));
  if (type === 'commandId') return fc.uuid();
  return nasty
    .map((text) => [...text].filter((one) => !(forbiddenCharacters ?? '').includes(one)).join(''))
    .filter((text) => mayBeEmpty === true || text !== '');
};

const parametersOf = (
  [parameter, ...rest]: readonly ParameterDefinition[],
  values: Record<string, string | number>,
): fc.Arbitrary<Record<string, string | number>> => {
  if (parameter === undefined) return fc.constant(values);
  const { dependsOn, required, name } = parameter;
  if (dependsOn !== undefined && !dependsOn.appliesTo.includes(String(values[dependsOn.parameter]))) {
    return parametersOf(rest, values);
  }
  return fc
    .tuple(required ? fc.constant(true) : fc.boolean(), valueOf(parameter, values))
    .chain(([given, value]) => parametersOf(rest, given ? { ...values, [name]: value } : values));
};

const boundOf = (definition: CommandDefinition): fc.Arbitrary<BoundCommand> =>
  fc
    .record({
      parameters: parametersOf(definition.parameters, {}),
      flags: fc
        .subarray(definition.flags.map(({ name }) => name))
        .filter(
          (flags) =>
            !definition.flags.some(
              (one) => flags.includes(one.name) && flags.includes(one.conflictsWith ?? ''),
            ),
        ),
      background: definition.backgroundable ? fc.boolean() : fc.constant(false),
      output:
        definition.columns.length === 0
          ? fc.constant(definition.defaultOutput)
          : fc.constantFrom('table' as const, 'json' as const),
      redirect: definition.runsOn === 'client' ? fc.constant('') : nasty,
    })
    .map(({ redirect, ...rest }) => ({
      name: definition.name,
      ...rest,
      ...(redirect === '' ? {} : { redirect }),
    }));

const bound = fc.constantFrom(...catalogue).chain(boundOf);

/** Lines that look like commands, so that the depths of the parser are reached. */
const almostCommand = fc
  .tuple(
    fc.constantFrom(...catalogue.flatMap(({ name, aliases }) => [name, ...aliases])),
    fc.array(
      fc.oneof(
        nasty,
        fc.constantFrom(
          '-auto',
          '-output',
          '-type',
          '-id',
          '-pid',
          '-name',
          'file',
          'process',
          'delete',
          'json',
          '7',
          '&',
          '>',
          '"a b"',
          '-full_path',
        ),
      ),
      { maxLength: 6 },
    ),
  )
  .map(([name, words]) => [name, ...words].join(' '));

describe('the command language', () => {
  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(bound, (command) => {
        expect(parseCommand(formatCommand(command), catalogue)).toEqual({ ok: true, command });
      }),
      { numRuns: 3000 },
    );
  });

  it('writes the same line for whatever it accepted, however that was typed', () => {
    let acceptedLines = 0;
    fc.assert(
      fc.property(almostCommand, (line) => {
        const first = parseCommand(line, catalogue);
        if (!first.ok) return;
        acceptedLines += 1;
        const canonical = formatCommand(first.command);
        const again = parseCommand(canonical, catalogue);
        expect(again).toEqual(first);
        expect(again.ok && formatCommand(again.command)).toBe(canonical);
      }),
      { numRuns: 3000 },
    );
    expect(acceptedLines).toBeGreaterThan(100);
  });

  it('never throws, whatever is typed, and points into the line', () => {
    const context = {
      platform: 'linux',
      capabilities: catalogue.map(({ name }) => name),
      rights: ['Advanced'],
    } as const;
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.string({ unit: fc.nat(0xffff).map((unit) => String.fromCharCode(unit)) }),
          nasty,
          almostCommand,
        ),
        fc.integer({ min: -5, max: 60 }),
        (line, cursor) => {
          const result = parseCommand(line, catalogue);
          if (!result.ok && result.position !== undefined) {
            expect(result.position).toBeGreaterThanOrEqual(0);
            expect(result.position).toBeLessThan(line.length);
          }
          const { from, to } = complete(line, cursor, context);
          expect(0 <= from && from <= to && to <= line.length).toBe(true);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('refuses exactly the lines above 10,240 bytes', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 200 }),
        fc.integer({ min: -3, max: 3 }),
        (text, over) => {
          const filled = `dir "${text}`;
          const line = filled + 'x'.repeat(10_240 + over - Buffer.byteLength(filled));
          const result = parseLine(line);
          expect(!result.ok && result.code === 'LINE_TOO_LONG').toBe(over > 0);
        },
      ),
    );
  });

  it('takes any quoted text as one value', () => {
    fc.assert(
      fc.property(
        nasty.filter((text) => text !== ''),
        fc.constantFrom('"', "'"),
        (text, quote) => {
          const line = `getfile ${quote}${text.replaceAll(quote, quote + quote)}${quote}`;
          expect(parseCommand(line, catalogue)).toMatchObject({
            ok: true,
            command: { parameters: { path: text } },
          });
        },
      ),
    );
  });

  it('offers only completions that keep what was typed', () => {
    fc.assert(
      fc.property(almostCommand, fc.nat(60), fc.constantFrom(...platforms), (line, cursor, platform) => {
        const capabilities = catalogue.map(({ name }) => name);
        const { from, to, candidates } = complete(line, cursor, {
          platform,
          capabilities,
          rights: ['Basic'],
        });
        const typed = line.slice(from, to).toLowerCase();
        for (const { text } of candidates) expect(text.startsWith(typed)).toBe(true);
      }),
    );
  });
});
