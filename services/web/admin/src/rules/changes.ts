import type { RuleChange } from '../types';

/** A change in words: what it is about, and what was and is. */
export interface Told {
  /** Of a provider; empty: of all. */
  provider: string;
  field: string;
  before: string | undefined;
  after: string | undefined;
}

const FIELDS: Record<string, string> = {
  strategy: 'Strategy',
  failover_enabled: 'Failover',
  providers: 'Order in lists',
  type: 'Type',
  base_url: 'Address',
  enabled: 'Takes calls',
  weight: 'Weight',
  priority: 'Priority',
  timeout_ms: 'Timeout',
  retry_count: 'Further attempts',
};
const WORDS: Record<string, string> = {
  true: 'Yes',
  false: 'No',
  round_robin: 'In turn, by weight',
  performance: 'The most reliable',
  cost_optimized: 'The cheapest',
};

/** A provider that is new or gone is told field by field. */
export function told({ path, before, after }: RuleChange): Told[] {
  const inside = /^providers\.(.+)\.(models\..+|[a-z_]+)$/s.exec(path);
  if (inside && (inside[2]!.startsWith('models.') || inside[2]! in FIELDS)) {
    const [, provider, field] = inside as unknown as [string, string, string];
    const model = field.startsWith('models.') ? field.slice('models.'.length) : '';
    const shown = model ? `Model ${model}` : FIELDS[field]!;
    const word = (value: string | undefined) => (model ? value : words(field, value));
    return [{ provider, field: shown, before: word(before), after: word(after) }];
  }
  if (path.startsWith('providers.')) {
    const whole = { before: parsed(before), after: parsed(after) };
    const fields = Object.keys({ ...whole.before, ...whole.after }).filter(name => name !== 'name');
    return fields.map(name => ({
      provider: path.slice('providers.'.length),
      field: name === 'models' ? 'Models' : (FIELDS[name] ?? name),
      before: whole.before && listed(name, whole.before[name]),
      after: whole.after && listed(name, whole.after[name]),
    }));
  }
  return [
    { provider: '', field: FIELDS[path] ?? path, before: words(path, before), after: words(path, after) },
  ];
}

/** "added", "removed" or "changed". */
export function kindOf(changes: readonly Told[]): 'added' | 'removed' | 'changed' {
  if (changes.every(change => change.before === undefined) && changes.some(isWhole)) return 'added';
  if (changes.every(change => change.after === undefined) && changes.some(isWhole)) return 'removed';
  return 'changed';
}

const isWhole = (change: Told) => change.field === FIELDS['type'];

/** The changes of each provider together, those of all first. */
export function grouped(changes: readonly RuleChange[]): [string, Told[]][] {
  const groups = new Map<string, Told[]>();
  for (const one of changes.flatMap(told))
    groups.set(one.provider, [...(groups.get(one.provider) ?? []), one]);
  return [...groups].sort(([a], [b]) => a.localeCompare(b));
}

/** All of a revision in one line. */
export function summary(changes: readonly RuleChange[]): string {
  const parts = grouped(changes).map(([provider, all]) => {
    const kind = kindOf(all);
    if (provider && kind !== 'changed') return `${provider} ${kind}`;
    const fields = all.map(({ field }) => (provider ? field[0]!.toLowerCase() + field.slice(1) : field));
    const what = fields.length > 3 ? `${fields.length} fields` : fields.join(', ');
    return provider ? `${provider}: ${what}` : what;
  });
  return parts.length > 3 ? `${parts.slice(0, 2).join('; ')} and ${parts.length - 2} more` : parts.join('; ');
}

function words(field: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (field === 'timeout_ms') return `${Number(value) / 1000} s`;
  return WORDS[value] ?? value;
}

function parsed(text: string | undefined): Record<string, unknown> | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return { definition: text };
  }
}

function listed(name: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || value === null) return words(name, String(value));
  const models = Object.entries(value as Record<string, string>);
  return models
    .map(([model, upstream]) => (upstream === model ? model : `${model} → ${upstream}`))
    .join(', ');
}
