import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { describe, Notice, Problem } from '@llm-platform/shared';
import { useState, type ReactNode } from 'react';
import { useSave } from './save';

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
  /** Fields of the API that are called otherwise here. */
  rename?: Record<string, string>;
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
            <Stale reload={reload} onDone={() => saving.reset()} />
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

function Stale({ reload, onDone }: { reload: (keep: boolean) => Promise<void>; onDone: () => void }) {
  const [failure, setFailure] = useState<unknown>(null);
  const load = (keep: boolean) => reload(keep).then(onDone, setFailure);
  return (
    <Notice kind="warning" title="Somebody else has changed this">
      What you have entered is still here. Load their version, or keep yours and save it over theirs.
      {failure ? <div>{describe(failure)}</div> : null}
      <Group gap="xs" mt="xs">
        <Button size="xs" variant="default" onClick={() => void load(false)}>
          Load theirs
        </Button>
        <Button size="xs" variant="default" onClick={() => void load(true)}>
          Keep mine
        </Button>
      </Group>
    </Notice>
  );
}
