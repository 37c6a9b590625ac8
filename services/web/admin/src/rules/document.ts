import type { ProviderDefinition, RoutingDocument } from '../types';
import { DEFAULTS } from './definition';

/** `definition` in the place of the one called `name`, or at the end. */
export function withProvider(
  document: RoutingDocument,
  definition: ProviderDefinition,
  name: string = definition.name,
): RoutingDocument {
  const known = document.providers.some(each => each.name === name);
  const providers = known
    ? document.providers.map(each => (each.name === name ? definition : each))
    : [...document.providers, definition];
  return { ...document, providers };
}

export const withoutProvider = (document: RoutingDocument, name: string): RoutingDocument => ({
  ...document,
  providers: document.providers.filter(each => each.name !== name),
});

/** Some fields of one provider; nothing when it is gone. */
export const withFields = (
  document: RoutingDocument,
  name: string,
  fields: Partial<ProviderDefinition>,
): RoutingDocument => ({
  ...document,
  providers: document.providers.map(each => (each.name === name ? { ...each, ...fields } : each)),
});

export const findProvider = (document: RoutingDocument | undefined, name: string) =>
  document?.providers.find(each => each.name === name);

export const isEnabled = (definition: ProviderDefinition): boolean => definition.enabled ?? DEFAULTS.enabled;

export const STRATEGIES = [
  { value: 'round_robin', label: 'In turn, by weight', about: 'Providers of one priority share the calls.' },
  { value: 'performance', label: 'The most reliable', about: 'Whoever answered more of the recent calls.' },
  { value: 'cost_optimized', label: 'The cheapest', about: 'Whoever costs least for the model.' },
];

export const strategyOf = (document: RoutingDocument): string => document.strategy || 'round_robin';
export const failsOver = (document: RoutingDocument): boolean => document.failover_enabled ?? true;

/** "First choice, 67 % of the calls": what priority and weight come to, among those who serve a model. */
export function partWords(document: RoutingDocument, definition: ProviderDefinition): string {
  if (!isEnabled(definition)) return 'Takes no calls';
  const weight = (each: ProviderDefinition) => each.weight ?? DEFAULTS.weight;
  const priority = (each: ProviderDefinition) => each.priority ?? DEFAULTS.priority;
  if (weight(definition) === 0) return 'Steps in only';
  const sharing = document.providers.filter(each => isEnabled(each) && weight(each) > 0);
  const places = [...new Set(sharing.map(priority))].sort((a, b) => a - b);
  const place = places.indexOf(priority(definition));
  const words = place === 0 ? 'First choice' : `Choice ${place + 1}`;
  const equals = sharing.filter(each => priority(each) === priority(definition));
  if (strategyOf(document) !== 'round_robin' || equals.length < 2) return words;
  const all = equals.reduce((sum, each) => sum + weight(each), 0);
  return `${words}, ${Math.round((weight(definition) / all) * 100)} % of the calls`;
}
