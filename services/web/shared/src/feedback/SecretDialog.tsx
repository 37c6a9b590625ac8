import { Button, Checkbox, CopyButton, Group, Modal, Stack, Text } from '@mantine/core';
import { Check, Copy } from 'lucide-react';
import { useState } from 'react';
import type { NewSecret } from './dialogs';
import { Notice } from './Notice';
import classes from './SecretDialog.module.css';

/** Shows a secret once; it cannot be closed by accident before it was copied. */
export function SecretDialog({ title, secret, message, onClose }: NewSecret & { onClose: () => void }) {
  const [kept, setKept] = useState(false);
  return (
    <Modal
      opened
      onClose={onClose}
      title={<Text fw={600}>{title}</Text>}
      size="lg"
      withCloseButton={false}
      closeOnClickOutside={false}
      closeOnEscape={false}
    >
      <Stack>
        <Notice kind="warning">Copy it now: it is shown this one time and cannot be read again.</Notice>
        <div className={classes.secret}>
          <code data-testid="secret">{secret}</code>
          <CopyButton value={secret}>
            {({ copied, copy }) => (
              <Button
                data-autofocus
                variant={copied ? 'light' : 'filled'}
                leftSection={copied ? <Check size={16} /> : <Copy size={16} />}
                onClick={() => {
                  copy();
                  setKept(true);
                }}
              >
                {copied ? 'Copied' : 'Copy'}
              </Button>
            )}
          </CopyButton>
        </div>
        {message && (
          <Text c="dimmed" component="div">
            {message}
          </Text>
        )}
        <Group justify="space-between">
          <Checkbox
            label="I have kept it in a safe place"
            checked={kept}
            onChange={event => setKept(event.currentTarget.checked)}
          />
          <Button variant="default" disabled={!kept} onClick={onClose}>
            Done
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
