import type { ProviderDefinition, RoutingDocument } from '../types';
import { DEFAULTS } from './definition';
import { failsOver, strategyOf, withFields } from './document';

type Numbers = Partial<Record<'priority' | 'weight', number | string>>;

/** What was changed and not saved yet: only that, so that it can be put upon newer rules too. */
export interface Draft {
  strategy?: string;
  failover_enabled?: boolean;
  providers: Record<string, Numbers>;
}

export const NO_DRAFT: Draft = { providers: {} };

export const numberOf = (draft: Draft, it: ProviderDefinition, field: keyof Numbers): number | string =>
  draft.providers[it.name]?.[field] ?? it[field] ?? DEFAULTS[field];

export function isNumber(value: number | string, field: keyof Numbers): boolean {
  const number = Number(value);
  return value !== '' && Number.isInteger(number) && (field === 'priority' || number >= 0);
}

/** The rules with what was changed. Providers that are gone, and what is no number, are passed over. */
export function drafted(document: RoutingDocument, draft: Draft): RoutingDocument {
  const changed: RoutingDocument = {
    ...document,
    strategy: draft.strategy ?? strategyOf(document),
    failover_enabled: draft.failover_enabled ?? failsOver(document),
  };
  return Object.entries(draft.providers).reduce((all, [name, numbers]) => {
    const fields = Object.entries(numbers).filter(([field, value]) =>
      isNumber(value, field as keyof Numbers),
    );
    return withFields(all, name, Object.fromEntries(fields.map(([field, value]) => [field, Number(value)])));
  }, changed);
}

/** Whether saving would change anything, or there is something that cannot be saved. */
export function isChanged(document: RoutingDocument, draft: Draft): boolean {
  if (!isValid(draft)) return true;
  const after = drafted(document, draft);
  if (after.strategy !== strategyOf(document) || after.failover_enabled !== failsOver(document)) return true;
  return after.providers.some((each, at) => {
    const before = document.providers[at]!;
    return (
      numberOf(NO_DRAFT, each, 'weight') !== numberOf(NO_DRAFT, before, 'weight') ||
      numberOf(NO_DRAFT, each, 'priority') !== numberOf(NO_DRAFT, before, 'priority')
    );
  });
}

export const isValid = (draft: Draft): boolean =>
  Object.values(draft.providers).every(numbers =>
    Object.entries(numbers).every(([field, value]) => isNumber(value, field as keyof Numbers)),
  );
