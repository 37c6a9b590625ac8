import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { describe, Notice, Problem, StaleNotice } from '@llm-platform/shared';
import type { ReactNode } from 'react';
import { useSave, type Rename } from './save';

interface FormDialogProps<V extends Record<string, unknown>> {
  title: string;
  /** The word on the button: "Create team". */
  action: string;
  form: UseFormReturnType<V>;
  save: (values: V) => Promise<unknown>;
  /** Also after it was saved. */
  onClose: () => void;
  /** Reads what somebody else has saved in the meantime; `keep`: what was typed stays. */
  reload?: (keep: boolean) => Promise<void>;
  rename?: Rename;
  size?: string;
  children: ReactNode;
}

/** A form over the page. Nothing that was typed is lost by a failure. */
export function FormDialog<V extends Record<string, unknown>>(props: FormDialogProps<V>) {
  const { title, action, form, save, onClose, reload, rename, size = 'lg', children } = props;
  const { saving, error } = useSave(form, save, onClose, rename);
  return (
    <Modal
      opened
      onClose={onClose}
      title={<Text fw={600}>{title}</Text>}
      size={size}
      closeOnClickOutside={false}
    >
      <form noValidate onSubmit={form.onSubmit(values => saving.mutate(values))}>
        <Stack>
          {children}
          {error instanceof Problem && error.stale && reload ? (
            <StaleNotice reload={reload} onDone={() => saving.reset()} />
          ) : (
            error && <Notice kind="error">{describe(error)}</Notice>
          )}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={saving.isPending}>
              {action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
