import type { UseFormReturnType } from '@mantine/form';
import { useMutation } from '@tanstack/react-query';
import { Problem } from '@llm-platform/shared';
import { wordsAtField } from './words';

/** Fields of the API that are called otherwise in a form. */
export type Rename = Record<string, string> | ((param: string) => string);

const renamed = (rename: Rename, param: string): string =>
  typeof rename === 'function' ? rename(param) : (rename[param] ?? param);

/** Puts the server's words at the field that they are about. False: there is no such field. */
export function showAtField<V extends Record<string, unknown>>(
  form: UseFormReturnType<V>,
  error: unknown,
  rename: Rename = {},
): boolean {
  if (!(error instanceof Problem) || !error.param) return false;
  const field = renamed(rename, error.param);
  const whole = field.split('.')[0]!.replace(/\[\d+\]$/, '');
  const known = [field, whole].find(name => holds(form.getValues(), name));
  if (!known) return false;
  form.setFieldError(known, wordsAtField(error));
  return true;
}

function holds(values: unknown, path: string): boolean {
  let at = values;
  for (const part of path.split('.')) {
    if (typeof at !== 'object' || at === null || !(part in at)) return false;
    at = (at as Record<string, unknown>)[part];
  }
  return typeof at !== 'object' || Array.isArray(at);
}

/** Whether it was said already, at a field. */
const isAtField = <V extends Record<string, unknown>>(form: UseFormReturnType<V>, error: unknown): boolean =>
  error instanceof Problem && Object.values(form.errors).includes(wordsAtField(error));

/** Sends a form; what the server says of a field stands there, the rest in `error`. */
export function useSave<V extends Record<string, unknown>>(
  form: UseFormReturnType<V>,
  save: (values: V) => Promise<unknown>,
  onSaved: () => void,
  rename: Rename = {},
) {
  const saving = useMutation({
    mutationFn: save,
    onSuccess: onSaved,
    onError: error => showAtField(form, error, rename),
    meta: { shown: true },
  });
  return { saving, error: isAtField(form, saving.error) ? null : saving.error };
}
